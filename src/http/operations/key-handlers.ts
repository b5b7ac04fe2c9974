import type { ApiKey } from '../../contract/access.js';
import { bounds } from '../../contract/bounds.js';
import { ApiError } from '../../contract/errors.js';
import { randomKey } from '../../platform/api-key.js';
import { sha256Hex } from '../../platform/digest.js';
import type { Logger } from '../../platform/logger.js';
import type { ApiKeys } from '../auth/api-keys.js';
import type { LoginWatch } from '../auth/login-watch.js';
import type { MadeKeys } from '../auth/made-keys.js';
import { invalidRequest } from '../core/validation.js';
import type { Handlers } from './call.js';

interface KeyHandlerParts {
  readonly apiKeys: ApiKeys;
  readonly madeKeys: Pick<MadeKeys, 'add' | 'list' | 'remove'>;
  readonly loginWatch: Pick<LoginWatch, 'check'>;
  readonly log: Logger;
}

export type KeyHandlers = Pick<Handlers, 'makeKey' | 'keys' | 'deleteKey'>;

/** The handlers of `/api/keys`. */
export function createKeyHandlers({ apiKeys, madeKeys, loginWatch, log }: KeyHandlerParts): KeyHandlers {
  return {
    async makeKey({ name, scope, sessions = null, expires_at }, { keyName }) {
      const created_at = new Date().toISOString();
      const made = { name, scope, sessions, expires_at: expiryOf(expires_at, created_at), created_at };
      if (apiKeys.named(name) !== null) throw nameTaken(name, 'in WHATSAPP_API_KEYS');
      const key = randomKey();
      const outcome = await madeKeys.add({ ...made, sha256: sha256Hex(key) });
      if (outcome === 'name taken') throw nameTaken(name, 'already');
      if (outcome === 'too many') throw tooManyKeys();
      log.info({ key: keyName, made: name, scope, sessions, expires_at: made.expires_at }, 'made an API key');
      return { body: { ok: true, ...made, key } };
    },

    async keys() {
      const fromConfiguration = apiKeys.all.map((key) => ({
        ...{ ...shown(key), expires_at: null, created_at: null },
        source: 'configuration' as const,
      }));
      const made = (await madeKeys.list()).map(({ created_at, expires_at, ...key }) => ({
        ...{ ...shown(key), expires_at, created_at },
        source: 'api' as const,
      }));
      const keys = [...fromConfiguration, ...made];
      return { body: { ok: true, count: keys.length, keys } };
    },

    async deleteKey({ name }, { keyName }) {
      // A key of this name may have been configured after this one was made.
      if (!(await madeKeys.remove(name)))
        throw apiKeys.named(name) === null ? notFound(name) : configured(name);
      log.info({ key: keyName, ended: name }, 'ended an API key');
      // Ends its streams here; other replicas notice at their next check.
      void loginWatch.check();
      return { body: { ok: true } };
    },
  };
}

/** Without its hash. */
function shown({ name, scope, sessions }: ApiKey) {
  return { name, scope, sessions: sessions === null ? null : [...sessions] };
}

/** As it is stored. Throws `invalid_request`. */
function expiryOf(text: string | undefined, now: string): string | null {
  if (text === undefined) return null;
  const expiry = new Date(text).toISOString();
  // A later year has more digits.
  if (expiry.length === now.length && expiry > now) return expiry;
  throw invalidRequest([
    { path: 'expires_at', message: 'expires_at must be in the future, and before the year 10000' },
  ]);
}

function nameTaken(name: string, where: string): ApiError {
  return new ApiError('key_name_taken', `there is a key named ${name} ${where}; choose another name`);
}

function tooManyKeys(): ApiError {
  const message = `there are ${bounds.apiKeys} API keys already; delete those that nobody uses`;
  return new ApiError('too_many_keys', message, { bound: 'apiKeys' });
}

function notFound(name: string): ApiError {
  return new ApiError('key_not_found', `there is no API key named ${name}`);
}

function configured(name: string): ApiError {
  const message = `the key ${name} is configured: remove it from WHATSAPP_API_KEYS, and restart the replicas`;
  return new ApiError('key_is_configured', message);
}
