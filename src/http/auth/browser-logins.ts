import { z } from 'zod';
import type { ApiKey } from '../../contract/access.js';
import { parseAs } from '../../contract/json.js';
import { guestLoginKey, loginKey, qrLinkKey, sessionKeys } from '../../contract/keys.js';
import { defaultSession, isSessionName } from '../../contract/names.js';
import { sha256Hex } from '../../platform/digest.js';
import type { Redis } from '../../platform/redis/connection.js';
import { luaScript } from '../../platform/redis/lua-script.js';
import { accountGeneration } from '../../platform/store/account-cleanup.js';
import { repliesOf, viaRedis } from '../core/redis-errors.js';
import type { ApiKeys } from './api-keys.js';
import { newToken } from './tokens.js';

/**
 * The logins of browsers, and the QR links that let guests in. Cookies and links contain random ids; Redis stores only the
 * digests. A login or link ends when its TTL ends or when the API key that made it is removed. Links and guest logins also end
 * when the account logs out. All methods throw `redis_unavailable`.
 */
export interface BrowserLogins {
  /** Opens a login of this key. Returns the id for the cookie. */
  openLogin(key: ApiKey): Promise<string>;
  closeLogins(ids: readonly string[]): Promise<void>;
  /** Finds the first valid login among these ids: key logins first, then the guest logins of this session. Takes one round trip. */
  find(session: string, loginIds: readonly string[], guestIds: readonly string[]): Promise<FoundLogin | null>;
  /** Whether each login is still valid, and its remaining TTL. Takes one round trip. */
  check(logins: readonly BrowserLogin[]): Promise<LoginCheck[]>;
  /** Makes a link to a session's QR for one guest. Returns its token. `maker`: the name of an API key, `''` without keys. */
  makeQrLink(session: string, maker: string, ttlS: number): Promise<string>;
  /** The session of a link that can be opened; null: it has been used, has expired or never existed. */
  sessionOfQrLink(token: string): Promise<string | null>;
  /** `usesUp`: the link cannot be opened again. Returns the id for the guest's cookie, or null for a used, expired or unknown link. */
  openGuestLogin(session: string, token: string, usesUp: boolean): Promise<string | null>;
}

/** The login that the cookie of a browser names. */
export interface BrowserLogin {
  /** `key`: the browser logged in with an API key. `guest`: it opened a link. */
  readonly kind: 'key' | 'guest';
  /** Redis key of the login. */
  readonly redisKey: string;
  /** Redis key of the account that the login is for. A guest's login ends with that account. */
  readonly accountKey: string;
}

export interface FoundLogin extends BrowserLogin {
  /** The key of the login. For a guest: the key that made the link. */
  readonly apiKey: ApiKey;
}

export interface LoginCheck {
  readonly isValid: boolean;
  /** Infinity without a TTL. */
  readonly ttlMs: number;
}

export const loginTtlS = 12 * 3_600;
export const guestLoginTtlS = 600;

/**
 * A login or a link in Redis, with the name and fingerprint of its API key. Only links and guest logins have `session` and
 * `account`. `account`: how many accounts of the session had ended when the link was made. Earlier versions did not write these
 * two.
 */
const storedLoginSchema = z.object({
  name: z.string(),
  key: z.string(),
  session: z.string().default(defaultSession),
  account: z.int().default(0),
});
type StoredLogin = z.infer<typeof storedLoginSchema>;

export function createBrowserLogins(redis: Redis, apiKeys: ApiKeys): BrowserLogins {
  const storedLoginJson = (key: ApiKey | null, session?: string) =>
    JSON.stringify({ name: key?.name ?? '', key: key === null ? '' : fingerprint(key), session });

  /** The API key of a stored login or link; null if the login or link is no longer valid. */
  function validKeyOf(
    kind: BrowserLogin['kind'],
    stored: StoredLogin | null,
    account: number,
  ): ApiKey | null {
    if (stored === null || (kind === 'guest' && stored.account !== account)) return null;
    const key = apiKeys.named(stored.name);
    return key !== null && fingerprint(key) === stored.key ? key : null;
  }

  return {
    async openLogin(key) {
      const id = newToken();
      await viaRedis(() => redis.set(loginKey(sha256Hex(id)), storedLoginJson(key), 'EX', loginTtlS));
      return id;
    },

    async closeLogins(ids) {
      if (ids.length > 0) await viaRedis(() => redis.del(...ids.map((id) => loginKey(sha256Hex(id)))));
    },

    async find(session, loginIds, guestIds) {
      const accountKey = accountKeyOf(session);
      const logins: BrowserLogin[] = [
        ...loginIds.map((id) => ({ kind: 'key' as const, accountKey, redisKey: loginKey(sha256Hex(id)) })),
        ...guestIds.map((id) => ({
          kind: 'guest' as const,
          accountKey,
          redisKey: guestLoginKey(sha256Hex(id)),
        })),
      ];
      if (logins.length === 0) return null;
      const keys = [accountKey, ...logins.map(({ redisKey }) => redisKey)];
      const [note, ...found] = await viaRedis(() => redis.mget(...keys));
      for (const [i, login] of logins.entries()) {
        const stored = parseAs(storedLoginSchema, found[i]);
        const apiKey = validKeyOf(login.kind, stored, accountGeneration(note));
        const isOfSession = login.kind === 'key' || stored?.session === session;
        if (apiKey !== null && isOfSession) return { ...login, apiKey };
      }
      return null;
    },

    async check(logins) {
      const accountKeys = [...new Set(logins.map(({ accountKey }) => accountKey))];
      const keys = logins.map(({ redisKey }) => redisKey);
      const pipeline = redis.pipeline().mget(...accountKeys, ...keys);
      for (const key of keys) pipeline.pttl(key);
      const [values, ...ttls] = await viaRedis(() => repliesOf(pipeline));
      const texts = values as readonly (string | null)[];
      const generations = new Map(accountKeys.map((key, i) => [key, accountGeneration(texts[i])]));
      return logins.map(({ kind, accountKey }, i) => {
        const stored = parseAs(storedLoginSchema, texts[accountKeys.length + i]);
        return {
          isValid: validKeyOf(kind, stored, generations.get(accountKey) ?? 0) !== null,
          ttlMs: ttlMsOf(Number(ttls[i])),
        };
      });
    },

    async makeQrLink(session, maker, ttlS) {
      const token = newToken();
      const keys = [qrLinkKey(sha256Hex(token)), accountKeyOf(session)];
      const link = storedLoginJson(apiKeys.named(maker), session);
      await viaRedis(() => makeQrLinkScript(redis, keys, [link, ttlS]));
      return token;
    },

    async sessionOfQrLink(token) {
      const link = parseAs(storedLoginSchema, await viaRedis(() => redis.get(qrLinkKey(sha256Hex(token)))));
      if (link === null || !isSessionName(link.session)) return null;
      const account = accountGeneration(await viaRedis(() => redis.get(accountKeyOf(link.session))));
      if (link.account !== account) return null;
      return apiKeys.isEmpty || validKeyOf('guest', link, account) !== null ? link.session : null;
    },

    async openGuestLogin(session, token, usesUp) {
      const id = newToken();
      const keys = [qrLinkKey(sha256Hex(token)), guestLoginKey(sha256Hex(id)), accountKeyOf(session)];
      const args = [guestLoginTtlS, session, usesUp ? 1 : 0];
      const isOpen = await viaRedis(() => openGuestLoginScript(redis, keys, args));
      return isOpen === 1 ? id : null;
    },
  };
}

// KEYS link account | ARGV the link's JSON without its account, ttlS | returns 1
const makeQrLinkScript = luaScript<number>(
  'makeQrLink',
  2,
  `local number = string.match(redis.call('GET', KEYS[2]) or '', '^%d+') or '0'
   redis.call('SET', KEYS[1], string.sub(ARGV[1], 1, -2) .. ',"account":' .. number .. '}', 'EX', ARGV[2])
   return 1`,
);

// KEYS link guestLogin account | ARGV ttlS of the guest login, session, 1 to use the link up
// returns 1, or 0 if there is no such link for this account of this session
const openGuestLoginScript = luaScript<number>(
  'openGuestLogin',
  3,
  `local link = redis.call('GET', KEYS[1])
   if not link then return 0 end
   local of = string.match(link, '"session":"([a-z0-9-]+)"') or '${defaultSession}'
   if of ~= ARGV[2] then return 0 end
   if ARGV[3] == '1' then redis.call('DEL', KEYS[1]) end
   local made = tonumber(string.match(link, '"account":(%d+)}$') or '0')
   local number = tonumber(string.match(redis.call('GET', KEYS[3]) or '', '^%d+') or '0')
   if made ~= number then return 0 end
   redis.call('SET', KEYS[2], link, 'EX', ARGV[1])
   return 1`,
);

function accountKeyOf(session: string): string {
  return sessionKeys(session).account;
}

/** PTTL replies -1 for a key without a TTL. */
function ttlMsOf(pttl: number): number {
  return pttl === -1 ? Number.POSITIVE_INFINITY : pttl;
}

/** Distinguishes a key from a later one of the same name, without revealing it. */
function fingerprint(key: ApiKey): string {
  return key.sha256.slice(0, 16);
}
