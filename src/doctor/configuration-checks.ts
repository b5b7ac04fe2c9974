import { existsSync } from 'node:fs';
import type { Config } from '../platform/config/config.js';
import { counted } from '../platform/counted.js';
import { credentialsKeyFile, loadOrMakeCredentialsKey, makeKeyHint } from '../platform/credentials-keys.js';
import { type Check, ok, type Verdict, warning } from './check.js';

/**
 * Findings about a valid configuration: its warnings, the key for login backups, and who may use the API. `envFile`: what was
 * taken from .env, in names; empty: nothing.
 */
export function configurationChecks(config: Config, envFile: string): Check[] {
  return [
    ...(envFile === '' ? [] : [{ name: '.env', run: async () => ok(envFile) }]),
    { name: 'configuration', run: async () => config.warnings.map((text) => warning(text)) },
    ...(config.role === 'http' ? [] : [{ name: 'credentials key', run: () => credentialsVerdict(config) }]),
    ...(config.role === 'supervisor' ? [] : [{ name: 'api keys', run: async () => keysVerdict(config) }]),
  ];
}

function keysVerdict({ apiKeys, host, port }: Config): Verdict {
  const where = `${host}:${port}`;
  if (apiKeys.length > 0) return ok(`${apiKeys.length} configured; http listens on ${where}`);
  return ok(`none, and http listens on ${where} only: every user of this machine can use the account`);
}

/** Without a key, the login is only on one disk. With the embedded Redis, the first start makes a key. */
async function credentialsVerdict({ credentialsKeys, redisUrl, dataDir }: Config): Promise<Verdict> {
  const [first] = credentialsKeys;
  if (first !== undefined)
    return ok(`set, key id ${first.id}; ${counted(credentialsKeys.length, 'key')} can decrypt backups`);
  if (redisUrl !== null) {
    return warning(
      `none: the login is not backed up to Redis; give all supervisors the same WHATSAPP_CREDENTIALS_KEY (${makeKeyHint})`,
    );
  }
  if (!existsSync(credentialsKeyFile(dataDir))) return ok('the first start makes one');
  const { id } = await loadOrMakeCredentialsKey(dataDir);
  return ok(`${credentialsKeyFile(dataDir)}, key id ${id}; keep a copy elsewhere`);
}
