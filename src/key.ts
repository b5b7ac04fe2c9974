import { OperatorError } from './contract/errors.js';
import { newApiKey } from './platform/api-key.js';
import { readArguments, runCommand, UsageError } from './platform/command-line.js';

const usage = 'npm run key -- NAME read|send|admin [SESSION,SESSION,…]';

/**
 * `npm run key -- NAME SCOPE [SESSIONS]`: makes an API key, bound to these sessions, and prints it. The key itself is stored nowhere.
 * Exit code 64: called wrongly.
 */
async function main(): Promise<void> {
  const [name = '', scope = '', sessions] = readArguments(usage, {}, 3).positionals;
  if (scope === '') throw new UsageError('give a name and a scope', usage);
  const { key, entry } = makeKey(name, scope, sessions?.split(',') ?? null);
  process.stdout.write(`
  key     ${key}
  entry   ${entry}

Give the key to the person who will use it: it is shown only now and stored nowhere. Add the entry to WHATSAPP_API_KEYS
(a list with commas) of every HTTP replica, and restart the replicas. POST /api/keys makes a key without a restart.

`);
}

function makeKey(...wanted: Parameters<typeof newApiKey>): ReturnType<typeof newApiKey> {
  try {
    return newApiKey(...wanted);
  } catch (error) {
    throw error instanceof OperatorError ? new UsageError(error.message, usage) : error;
  }
}

await runCommand(main);
