import { existsSync } from 'node:fs';
import type { Config } from '../platform/config/config.js';
import { credentialsKeyFile, loadOrMakeCredentialsKey } from '../platform/credentials-key-file.js';
import { makeKeyHint } from '../platform/credentials-keys.js';
import { type Check, ok, type Verdict, warning } from './finding.js';

/** What the configuration, which is valid, means for who can do what. */
export function configurationChecks(config: Config): Check[] {
  return [
    { name: 'configuration', run: async () => config.warnings.map((text) => warning(text)) },
    ...(config.role === 'http' ? [] : [{ name: 'credentials key', run: () => credentialsVerdict(config) }]),
    ...(config.role === 'supervisor' ? [] : [{ name: 'api keys', run: async () => keysVerdict(config) }]),
  ];
}

function keysVerdict({ apiKeys, host, port }: Config): Verdict {
  const where = `${host}:${port}`;
  if (apiKeys.length > 0) return ok(`${apiKeys.length} of them; http listens on ${where}`);
  return ok(`none, and http listens on ${where} only: whoever is on this machine owns the account`);
}

/** Without a key the login is on one disk only. The embedded mode has one of its own from its first start on. */
async function credentialsVerdict({ credentialsKeys, redisUrl, dataDir }: Config): Promise<Verdict> {
  const [first] = credentialsKeys;
  if (first !== undefined)
    return ok(`set, key id ${first.id}; ${credentialsKeys.length} in all can open backups`);
  if (redisUrl !== null) {
    return warning(
      `none: the login is not backed up to Redis; give all supervisors the same WHATSAPP_CREDENTIALS_KEY (${makeKeyHint})`,
    );
  }
  if (!existsSync(credentialsKeyFile(dataDir))) return ok('the first start makes one');
  const { id } = await loadOrMakeCredentialsKey(dataDir);
  return ok(`${credentialsKeyFile(dataDir)}, key id ${id}; keep a copy elsewhere`);
}
