import type { Config } from '../platform/config.js';
import { type Check, ok, type Verdict, warning } from './finding.js';

/** What the configuration, which is valid, means for who can do what. */
export function configurationChecks(config: Config): Check[] {
  return [
    { name: 'configuration', run: async () => config.warnings.map((text) => warning(text)) },
    ...(config.role === 'supervisor' ? [] : [{ name: 'api keys', run: async () => keysVerdict(config) }]),
  ];
}

function keysVerdict({ apiKeys, host, port }: Config): Verdict {
  const where = `${host}:${port}`;
  if (apiKeys.length > 0) return ok(`${apiKeys.length} of them; http listens on ${where}`);
  return ok(`none, and http listens on ${where} only: whoever is on this machine owns the account`);
}
