import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { messageOf } from '../../contract/errors.js';
import { withDeadline } from '../../platform/deadline.js';
import { signalGroup } from '../../platform/proc.js';

interface VersionQuery {
  readonly executable: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly deadlineMs?: number;
}

const defaultDeadlineMs = 5_000;
const outputMax = 4_096;

/** Outputs by modification time and path, for the life of this process. */
const outputs = new Map<string, Promise<string>>();

/**
 * The version of a Chromium or Chrome, like `156.0.8078.108`. Runs the executable once and caches its output. Rejects with
 * a sentence if the output names no version, or if there is no answer within `deadlineMs`; then the next call asks again.
 */
export async function browserVersion(query: VersionQuery): Promise<string> {
  const { executable } = query;
  const changedAt = await stat(executable).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
  const key = `${changedAt} ${executable}`;
  const known = outputs.get(key);
  if (known !== undefined) return versionIn(executable, await known);
  const output = ask(query);
  outputs.set(key, output);
  output.catch(() => outputs.delete(key));
  return versionIn(executable, await output);
}

function versionIn(executable: string, output: string): string {
  // Other browsers based on Chromium have a user agent of their own.
  const version = /\b(?:Chromium|Chrome(?: for Testing)?) (\d{2,4}(?:\.\d+){3})\b/.exec(output)?.[1];
  if (version !== undefined) return version;
  throw new Error(`${executable} --version names no Chromium or Chrome: ${firstLine(output)}`);
}

function firstLine(output: string): string {
  const line = output.trim().split('\n', 1)[0] ?? '';
  return line === '' ? 'it said nothing' : JSON.stringify(line.slice(0, 100));
}

/** Resolves to what `--version` prints. Runs in its own process group, because the executable may be a launcher. */
async function ask({
  executable,
  environment,
  deadlineMs = defaultDeadlineMs,
}: VersionQuery): Promise<string> {
  const child = spawn(executable, ['--version'], {
    detached: true,
    env: environment,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const closed = once(child, 'close');
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(0, outputMax);
  });
  try {
    await withDeadline(closed, deadlineMs, `${executable} --version`);
    return output;
  } catch (error) {
    if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
    child.stdout.destroy();
    throw new Error(messageOf(error), { cause: error });
  }
}
