import { defaultSession, isSessionName } from './contract/names.js';
import { importSession } from './import-session/import-session.js';
import { whileStopped } from './import-session/while-stopped.js';
import { readArguments, runCommand, UsageError } from './platform/command-line.js';
import { loadToolConfig, typedPath } from './platform/config/config.js';
import { createLogger } from './platform/logger.js';

const usage = 'npm run import-session -- DIR [--session NAME] [--session-id ID] [--not-in-use]';

/**
 * Takes over the login of another program that uses whatsapp-web.js. Exit code 64: called wrongly, 78: the import is not
 * possible, and nothing has changed.
 */
async function main(): Promise<void> {
  const { dir, session, sessionId, assumeUnused } = argumentsOf();
  const config = loadToolConfig(process.env);
  const { authDir } = config;
  const log = createLogger('silent');
  const { from, to } = await whileStopped(config, session, log, () =>
    importSession({ from: dir, sessionId, assumeUnused, authDir, session }),
  );
  process.stdout.write(`
  from   ${from}
  to     ${to}

Start Holdline, then ${startOf(session)}: no scan is needed. Do not use this login in the other program again: only one
program can use a login.

`);
}

/** The call that starts the session. A named one may not have been made yet. */
function startOf(session: string): string {
  return session === defaultSession
    ? 'POST /api/auth/start'
    : `PUT /api/sessions/${session} with {"start": true}`;
}

function argumentsOf() {
  const options = {
    session: { type: 'string' },
    'session-id': { type: 'string' },
    'not-in-use': { type: 'boolean' },
  } as const;
  const { values, positionals } = readArguments(usage, options, 1);
  const [dir] = positionals;
  if (dir === undefined) throw new UsageError('name the directory of the other program', usage);
  const { session = defaultSession } = values;
  if (!isSessionName(session))
    throw new UsageError('the name of a session is 1-64 characters of a-z, 0-9 and -', usage);
  return {
    session,
    dir: typedPath(dir, process.env),
    sessionId: values['session-id'] ?? null,
    assumeUnused: values['not-in-use'] ?? false,
  };
}

await runCommand(main);
