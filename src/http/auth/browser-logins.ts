import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { ApiKey } from '../../contract/access.js';
import { loginKey, qrLinkKey, qrVisitKey, sessionKeys } from '../../contract/keys.js';
import { defaultSession } from '../../contract/names.js';
import { sha256Hex } from '../../platform/digest.js';
import type { Redis } from '../../platform/redis/connection.js';
import { luaScript } from '../../platform/redis/lua-script.js';
import { accountGeneration } from '../../platform/store/account-cleanup.js';
import type { BrowserLogin } from '../core/caller.js';
import { repliesOf, viaRedis } from '../session/redis-errors.js';
import type { ApiKeys } from './api-keys.js';

/**
 * The logins of browsers, and the QR links that let guests in. Cookies and links carry random ids; Redis stores the digests. A
 * login or link ends with its TTL and with the API key that it was made under. Links and guest logins also end with a logout of
 * the account. All methods throw `redis_unavailable`.
 */
export interface BrowserLogins {
  /** Opens a login under this key; returns the id for the cookie. */
  openLogin(key: ApiKey): Promise<string>;
  closeLogins(ids: readonly string[]): Promise<void>;
  /** The first valid one of these ids, key logins before the guest logins of this session. One round trip. */
  find(session: string, loginIds: readonly string[], guestIds: readonly string[]): Promise<FoundLogin | null>;
  /** Whether each is still valid, and its remaining TTL. One round trip. */
  check(logins: readonly BrowserLogin[]): Promise<LoginCheck[]>;
  /** Makes a link to a session's QR for one guest; returns its token. `maker`: the name of an API key, `''` without keys. */
  makeQrLink(session: string, maker: string, ttlS: number): Promise<string>;
  isQrLink(session: string, token: string): Promise<boolean>;
  /** Uses up the link; returns the id for the guest's cookie, or null for a used, expired or unknown link. */
  openGuestLogin(session: string, token: string): Promise<string | null>;
}

export interface FoundLogin extends BrowserLogin {
  /** The key of the login; of a guest the key that made the link. */
  readonly owner: ApiKey;
}

export interface LoginCheck {
  readonly isValid: boolean;
  /** Infinity without a TTL. */
  readonly ttlMs: number;
}

export const loginTtlS = 12 * 3_600;
export const guestLoginTtlS = 600;

/**
 * `session` and `account` are of links and guest logins. `account`: how many accounts of the session had ended when the link was
 * made. Earlier versions did not write them.
 */
const ownerSchema = z.object({
  name: z.string(),
  key: z.string(),
  session: z.string().default(defaultSession),
  account: z.int().default(0),
});
type Owner = z.infer<typeof ownerSchema>;

export function createBrowserLogins(redis: Redis, apiKeys: ApiKeys): BrowserLogins {
  const ownerJson = (key: ApiKey | null, session?: string) =>
    JSON.stringify({ name: key?.name ?? '', key: key === null ? '' : fingerprint(key), session });

  /** The owner of a stored login or link; null if it is no longer valid. */
  function ownerIn(kind: BrowserLogin['kind'], owner: Owner | null, account: number): ApiKey | null {
    if (owner === null || (kind === 'guest' && owner.account !== account)) return null;
    const key = apiKeys.named(owner.name);
    return key !== null && fingerprint(key) === owner.key ? key : null;
  }

  return {
    async openLogin(key) {
      const id = newToken();
      await viaRedis(() => redis.set(loginKey(sha256Hex(id)), ownerJson(key), 'EX', loginTtlS));
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
          redisKey: qrVisitKey(sha256Hex(id)),
        })),
      ];
      if (logins.length === 0) return null;
      const keys = [accountKey, ...logins.map(({ redisKey }) => redisKey)];
      const [note, ...found] = await viaRedis(() => redis.mget(...keys));
      for (const [i, login] of logins.entries()) {
        const stored = parseOwner(found[i]);
        const owner = ownerIn(login.kind, stored, accountGeneration(note));
        const isOfSession = login.kind === 'key' || stored?.session === session;
        if (owner !== null && isOfSession) return { ...login, owner };
      }
      return null;
    },

    async check(logins) {
      const keys = logins.map(({ redisKey }) => redisKey);
      const pipeline = redis.pipeline().mget(...logins.map(({ accountKey }) => accountKey), ...keys);
      for (const key of keys) pipeline.pttl(key);
      const [values, ...ttls] = await viaRedis(() => repliesOf(pipeline));
      const replies = values as (string | null)[];
      return logins.map(({ kind }, i) => ({
        isValid:
          ownerIn(kind, parseOwner(replies[logins.length + i]), accountGeneration(replies[i])) !== null,
        ttlMs: ttlMsOf(Number(ttls[i])),
      }));
    },

    async makeQrLink(session, maker, ttlS) {
      const token = newToken();
      const keys = [qrLinkKey(sha256Hex(token)), accountKeyOf(session)];
      const owner = ownerJson(apiKeys.named(maker), session);
      await viaRedis(() => makeQrLinkScript(redis, keys, [owner, ttlS]));
      return token;
    },

    async isQrLink(session, token) {
      const keys = [accountKeyOf(session), qrLinkKey(sha256Hex(token))];
      const [note, json] = await viaRedis(() => redis.mget(...keys));
      const owner = parseOwner(json);
      const account = accountGeneration(note);
      if (owner === null || owner.session !== session || owner.account !== account) return false;
      return apiKeys.isEmpty || ownerIn('guest', owner, account) !== null;
    },

    async openGuestLogin(session, token) {
      const id = newToken();
      const keys = [qrLinkKey(sha256Hex(token)), qrVisitKey(sha256Hex(id)), accountKeyOf(session)];
      const isOpen = await viaRedis(() => openQrVisitScript(redis, keys, [guestLoginTtlS, session]));
      return isOpen === 1 ? id : null;
    },
  };
}

// KEYS link account | ARGV owner, ttlS | returns 1
const makeQrLinkScript = luaScript<number>(
  'makeQrLink',
  2,
  `local number = string.match(redis.call('GET', KEYS[2]) or '', '^%d+') or '0'
   redis.call('SET', KEYS[1], string.sub(ARGV[1], 1, -2) .. ',"account":' .. number .. '}', 'EX', ARGV[2])
   return 1`,
);

// KEYS link guestLogin account | ARGV ttlS of the guest login, session
// returns 1, or 0 if there is no such link for this account of this session
const openQrVisitScript = luaScript<number>(
  'openQrVisit',
  3,
  `local owner = redis.call('GET', KEYS[1])
   if not owner then return 0 end
   local of = string.match(owner, '"session":"([a-z0-9-]+)"') or '${defaultSession}'
   if of ~= ARGV[2] then return 0 end
   redis.call('DEL', KEYS[1])
   local made = tonumber(string.match(owner, '"account":(%d+)}$') or '0')
   local number = tonumber(string.match(redis.call('GET', KEYS[3]) or '', '^%d+') or '0')
   if made ~= number then return 0 end
   redis.call('SET', KEYS[2], owner, 'EX', ARGV[1])
   return 1`,
);

function accountKeyOf(session: string): string {
  return sessionKeys(session).account;
}

/** null if there is none or it cannot be parsed. */
function parseOwner(json: string | null | undefined): Owner | null {
  if (!json) return null;
  try {
    return ownerSchema.parse(JSON.parse(json));
  } catch {
    return null;
  }
}

/** PTTL replies -1 for a key without a TTL. */
function ttlMsOf(pttl: number): number {
  return pttl === -1 ? Number.POSITIVE_INFINITY : pttl;
}

function newToken(): string {
  return randomBytes(32).toString('base64url');
}

/** Tells a key from a later one of the same name, without revealing it. */
function fingerprint(key: ApiKey): string {
  return key.sha256.slice(0, 16);
}
