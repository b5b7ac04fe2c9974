import { randomBytes } from 'node:crypto';
import {
  type ApiKey,
  apiKeyPrefix,
  isScope,
  keyNamePattern,
  type Scope,
  scopes,
} from '../contract/access.js';
import { OperatorError } from '../contract/errors.js';
import { sha256Hex } from './digest.js';

/** The entries of `WHATSAPP_API_KEYS`: `name:scope:sha256:<hex>`. */

export interface ParsedApiKeys {
  readonly keys: readonly ApiKey[];
  /** Sentences that name an entry only by its number: its text may be a key. */
  readonly problems: readonly string[];
}

export function parseApiKeys(text: string): ParsedApiKeys {
  const keys: ApiKey[] = [];
  const problems: string[] = [];
  const entries = text.split(',').map((entry) => entry.trim());
  entries.forEach((entry, i) => {
    if (entry === '') return;
    const [name = '', scope = '', algorithm = '', hex = '', ...more] = entry.split(':');
    const problem = (what: string) => problems.push(`entry ${i + 1} ${what}`);
    if (more.length > 0 || algorithm !== 'sha256' || !/^[0-9a-f]{64}$/i.test(hex)) {
      problem('must be name:scope:sha256:<64 hex digits>, as `npm run key -- NAME SCOPE` prints it');
    } else if (!keyNamePattern.test(name))
      problem('has a name that is not 1-64 characters of a-z, 0-9 and -');
    else if (!isScope(scope)) problem(`has a scope that is none of ${scopes.join(', ')}`);
    else if (keys.some((key) => key.name === name)) problem('has the name of an earlier entry');
    else if (keys.some((key) => key.sha256 === hex.toLowerCase())) problem('has the key of an earlier entry');
    else keys.push({ name, scope, sha256: hex.toLowerCase() });
  });
  if (keys.length === 0 && problems.length === 0)
    problems.push('entry 1 is empty; leave the variable out for no keys');
  return { keys, problems };
}

/** A random key of 256 bits, and its entry for `WHATSAPP_API_KEYS`. Throws {@link OperatorError}. */
export function newApiKey(name: string, scope: string): { readonly key: string; readonly entry: string } {
  if (!keyNamePattern.test(name)) throw new OperatorError('a name is 1-64 characters of a-z, 0-9 and -');
  if (!isScope(scope)) throw new OperatorError(`a scope is one of ${scopes.join(', ')}`);
  const key = apiKeyPrefix + randomBytes(32).toString('base64url');
  return { key, entry: entryOf(name, scope, key) };
}

/** Keys are random and long: a plain hash is as good as a slow one. */
function entryOf(name: string, scope: Scope, key: string): string {
  return `${name}:${scope}:sha256:${sha256Hex(key)}`;
}
