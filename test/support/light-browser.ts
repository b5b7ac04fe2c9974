import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A stand-in for Chromium that takes one process of 1 MB: it gives each command on its debugging pipe the same answer, which has
 * everything that a supervisor looks for. It ends when the pipe closes or on SIGTERM.
 */
const script = `#!/usr/bin/env bash
if [ "$1" = --version ]; then echo 'Chromium 156.0.8078.108'; exit; fi
count=0
while IFS= read -r -d '' command <&3; do
  [[ $command =~ ^\\{\\"id\\":([0-9]+), ]] || continue
  id=\${BASH_REMATCH[1]} session=
  if [[ $command =~ ,\\"sessionId\\":\\"[0-9A-F]{32}\\"\\}$ ]]; then session=\${BASH_REMATCH[0]%\\}}; fi
  count=$((count + 1))
  printf '{"id":%s,"result":{"product":"Light/1","success":true,"targetInfos":[],"targetId":"page-%s","sessionId":"%032X"}%s}\\0' \\
    "$id" "$count" "$count" "$session" >&4
done
`;

/** Writes it into the directory, and returns its path: the executable to configure as a supervisor's browser. */
export function writeLightBrowser(dir: string): string {
  const executable = join(dir, 'browser');
  writeFileSync(executable, script);
  chmodSync(executable, 0o755);
  return executable;
}
