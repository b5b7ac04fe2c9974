import { OperatorError } from './contract/errors.js';
import { newApiKey } from './platform/api-key.js';

/** `npm run key -- NAME SCOPE`: makes an API key and prints it. The key itself is stored nowhere. Exit code 64: called wrongly. */
const [name = '', scope = '', ...more] = process.argv.slice(2);
try {
  if (scope === '' || more.length > 0) throw new OperatorError('give a name and a scope');
  const { key, entry } = newApiKey(name, scope);
  process.stdout.write(`
  key     ${key}
  entry   ${entry}

Give the key to the person who will use it: it is shown only now and stored nowhere. Add the entry to WHATSAPP_API_KEYS
(a list with commas) of every HTTP replica, and restart the replicas.

`);
} catch (error) {
  if (!(error instanceof OperatorError)) throw error;
  process.stderr.write(`holdline: ${error.message}: npm run key -- NAME read|send|admin\n`);
  process.exitCode = 64;
}
