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
import { sessionNamePattern } from '../contract/names.js';
import { sha256Hex } from './digest.js';

/** The entries of `WHATSAPP_API_KEYS`: `name:scope:sha256:<hex>`, for a key bound to sessions with `:sessions=a|b` behind it. */

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
    const [name = '', scope = '', algorithm = '', hex = '', binding = '', ...more] = entry.split(':');
    const problem = (what: string) => problems.push(`entry ${i + 1} ${what}`);
    const isBound = entry.split(':').length > 4;
    const sessions = isBound ? binding.replace(bindingPrefix, '').split('|') : null;
    const wrongSessions = sessions === null ? null : sessionsProblem(sessions);
    const hasOtherParts = more.length > 0 || (isBound && !binding.startsWith(bindingPrefix));
    if (hasOtherParts || algorithm !== 'sha256' || !/^[0-9a-f]{64}$/i.test(hex)) {
      problem(
        'must be name:scope:sha256:<64 hex digits>, as `npm run key -- NAME SCOPE` prints it, with :sessions=NAME|NAME behind it for a key bound to sessions',
      );
    } else if (!keyNamePattern.test(name))
      problem('has a name that is not 1-64 characters of a-z, 0-9 and -');
    else if (!isScope(scope)) problem(`has a scope that is none of ${scopes.join(', ')}`);
    else if (keys.some((key) => key.name === name)) problem('has the name of an earlier entry');
    else if (keys.some((key) => key.sha256 === hex.toLowerCase())) problem('has the key of an earlier entry');
    else if (wrongSessions !== null) problem(`has ${wrongSessions}`);
    else keys.push({ name, scope, sha256: hex.toLowerCase(), sessions });
  });
  if (keys.length === 0 && problems.length === 0)
    problems.push('entry 1 is empty; leave the variable out for no keys');
  return { keys, problems };
}

/** What is wrong with the sessions of a key, behind "has"; null: nothing. Names no session: its text may be a key. */
function sessionsProblem(sessions: readonly string[]): string | null {
  if (sessions.join('') === '') return 'no session behind sessions=; leave :sessions= out for all sessions';
  if (!sessions.every((name) => sessionNamePattern.test(name)))
    return 'a session whose name is not 1-64 characters of a-z, 0-9 and -; separate names by |';
  return new Set(sessions).size < sessions.length ? 'a session twice' : null;
}

const bindingPrefix = 'sessions=';

/**
 * A random key of 256 bits, and its entry for `WHATSAPP_API_KEYS`. `sessions`: those that it is bound to; null: all. Throws
 * {@link OperatorError}.
 */
export function newApiKey(
  name: string,
  scope: string,
  sessions: readonly string[] | null = null,
): { readonly key: string; readonly entry: string } {
  if (!keyNamePattern.test(name)) throw new OperatorError('a name is 1-64 characters of a-z, 0-9 and -');
  if (!isScope(scope)) throw new OperatorError(`a scope is one of ${scopes.join(', ')}`);
  if (sessions !== null && sessionsProblem(sessions) !== null)
    throw new OperatorError('sessions are different names of 1-64 characters of a-z, 0-9 and -');
  const key = randomKey();
  return { key, entry: entryOf(name, scope, key, sessions) };
}

export function randomKey(): string {
  return apiKeyPrefix + randomBytes(32).toString('base64url');
}

/** Keys are random and long: a plain hash is as good as a slow one. */
function entryOf(name: string, scope: Scope, key: string, sessions: readonly string[] | null): string {
  const binding = sessions === null ? '' : `:${bindingPrefix}${sessions.join('|')}`;
  return `${name}:${scope}:sha256:${sha256Hex(key)}${binding}`;
}
