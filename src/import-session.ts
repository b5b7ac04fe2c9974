import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf, OperatorError } from './contract/errors.js';
import { defaultSession } from './contract/names.js';
import { importSession } from './import-session/import-session.js';
import { whileIdle } from './import-session/while-idle.js';
import { loadConfig } from './platform/config/config.js';
import { createLogger } from './platform/logger.js';

/** `npm run import-session -- DIR [--session-id ID] [--not-in-use]`: takes over the login of another program. */
const usage = 'npm run import-session -- DIR [--session-id ID] [--not-in-use]';

async function main(): Promise<void> {
  const { dir, sessionId, isSaidToBeFree } = readArguments();
  // Nothing listens here, so nothing is asked of whoever would.
  const environment = { ...process.env, WHATSAPP_MCP_HOST: '' };
  const config = loadConfig(process.env.REDIS_URL ? 'supervisor' : 'all', environment);
  const { authDir } = config;
  const log = createLogger('silent');
  const { from, to } = await whileIdle(config, defaultSession, log, () =>
    importSession({ from: dir, sessionId, isSaidToBeFree, authDir, session: defaultSession }),
  );
  process.stdout.write(`
  from   ${from}
  to     ${to}

Start Holdline, then POST /api/auth/start: no scan is needed. Do not start the other program on this login again: a
login runs in one place only.

`);
}

function readArguments(): { dir: string; sessionId: string | null; isSaidToBeFree: boolean } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { 'session-id': { type: 'string' }, 'not-in-use': { type: 'boolean' } },
    });
    const [dir, ...more] = positionals;
    if (dir === undefined || more.length > 0) throw new Error('name one directory');
    // A path is meant as it was typed: npm runs scripts in the directory of the package.
    return {
      dir: resolve(process.env.INIT_CWD ?? '.', dir),
      sessionId: values['session-id'] ?? null,
      isSaidToBeFree: values['not-in-use'] ?? false,
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
