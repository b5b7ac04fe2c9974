import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf, OperatorError } from './contract/errors.js';
import { defaultSession } from './contract/names.js';
import { importSession } from './import-session/import-session.js';
import { whileStopped } from './import-session/while-stopped.js';
import { loadConfig } from './platform/config/config.js';
import { createLogger } from './platform/logger.js';

const usage = 'npm run import-session -- DIR [--session-id ID] [--not-in-use]';

/**
 * Takes over the login of another program that uses whatsapp-web.js. Exit code 64: called wrongly, 78: the import is not
 * possible, and nothing has changed.
 */
async function main(): Promise<void> {
  const { dir, sessionId, assumeUnused } = readArguments();
  // This program does not listen, so the rules for a server that others can reach do not apply.
  const environment = { ...process.env, WHATSAPP_MCP_HOST: '' };
  const config = loadConfig(process.env.REDIS_URL ? 'supervisor' : 'all', environment);
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

function readArguments(): { dir: string; sessionId: string | null; assumeUnused: boolean } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { 'session-id': { type: 'string' }, 'not-in-use': { type: 'boolean' } },
    });
    const [dir, ...more] = positionals;
    if (dir === undefined || more.length > 0) throw new Error('name one directory');
    // npm runs scripts in the directory of the package; INIT_CWD is where the operator typed the path.
    return {
      dir: resolve(process.env.INIT_CWD ?? '.', dir),
      sessionId: values['session-id'] ?? null,
      assumeUnused: values['not-in-use'] ?? false,
    };
  } catch (error) {
    throw new UsageError(`${messageOf(error)}: ${usage}`);
  }
}

class UsageError extends OperatorError {}

main().catch((error: unknown) => {
  if (!(error instanceof OperatorError)) throw error;
  process.stderr.write(`holdline: ${error.message}\n`);
  process.exitCode = error instanceof UsageError ? 64 : 78;
});
