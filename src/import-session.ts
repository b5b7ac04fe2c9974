import { defaultSession } from './contract/names.js';
import { importSession } from './import-session/import-session.js';
import { whileStopped } from './import-session/while-stopped.js';
import { readArguments, runCommand, UsageError } from './platform/command-line.js';
import { loadToolConfig, typedPath } from './platform/config/config.js';
import { createLogger } from './platform/logger.js';

const usage = 'npm run import-session -- DIR [--session-id ID] [--not-in-use]';

/**
 * Takes over the login of another program that uses whatsapp-web.js. Exit code 64: called wrongly, 78: the import is not
 * possible, and nothing has changed.
 */
async function main(): Promise<void> {
  const { dir, sessionId, assumeUnused } = argumentsOf();
  const config = loadToolConfig(process.env);
  const { authDir } = config;
  const log = createLogger('silent');
  const { from, to } = await whileStopped(config, defaultSession, log, () =>
    importSession({ from: dir, sessionId, assumeUnused, authDir, session: defaultSession }),
  );
  process.stdout.write(`
  from   ${from}
  to     ${to}

Start Holdline, then POST /api/auth/start: no scan is needed. Do not use this login in the other program again: only one
program can use a login.

`);
}

function argumentsOf(): { dir: string; sessionId: string | null; assumeUnused: boolean } {
  const options = { 'session-id': { type: 'string' }, 'not-in-use': { type: 'boolean' } } as const;
  const { values, positionals } = readArguments(usage, options, 1);
  const [dir] = positionals;
  if (dir === undefined) throw new UsageError('name the directory of the other program', usage);
  return {
    dir: typedPath(dir, process.env),
    sessionId: values['session-id'] ?? null,
    assumeUnused: values['not-in-use'] ?? false,
  };
}

await runCommand(main);
