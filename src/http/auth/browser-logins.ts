import type { ApiKey } from '../../contract/access.js';
import { guestLoginKey, loginKey, qrLinkKey, sessionKeys, usedQrLinkKey } from '../../contract/keys.js';
import { defaultSession, isSessionName } from '../../contract/names.js';
import { sha256Hex } from '../../platform/digest.js';
import type { Redis } from '../../platform/redis/connection.js';
import { luaScript } from '../../platform/redis/lua-script.js';
import { accountGeneration } from '../../platform/store/account-cleanup.js';
import type { MadeKey } from '../../platform/store/made-keys.js';
import type { Caller } from '../core/caller.js';
import { viaRedis } from '../core/redis-errors.js';
import { type ApiKeys, accessEnded } from './api-keys.js';
import type { Grant } from './grants.js';
import type { MadeKeys } from './made-keys.js';
import {
  type BrowserLogin,
  keyOfLogin,
  parseStoredLogin,
  type StoredLogin,
  storedLoginJson,
} from './stored-login.js';
import { newToken } from './tokens.js';

/**
 * The logins of browsers, and the QR links that let guests in. Cookies and links contain random ids; Redis stores only the
 * digests. A login or link ends when its TTL ends, or when the API key that made it is removed or bound to other sessions. Links and
 * guest logins also end when the account logs out. All methods throw `redis_unavailable`.
 */
export interface BrowserLogins {
  /** Opens a login of this key. Returns the id for the cookie. */
  openLogin(key: ApiKey): Promise<string>;
  closeLogins(ids: readonly string[]): Promise<void>;
  /**
   * Finds the first valid login among these ids: key logins first, then the guest logins of this session. Takes one round trip, and
   * one more for each login with a key that was made while the product ran.
   */
  find(session: string, loginIds: readonly string[], guestIds: readonly string[]): Promise<FoundLogin | null>;
  /** Makes a link to a session's QR for one guest. Returns its token. Throws `unauthorized` if the key of its maker has ended. */
  makeQrLink(session: string, maker: LinkMaker, ttlS: number): Promise<string>;
  /** The session of a link that can be opened; null: it has been used, has expired or never existed. */
  sessionOfQrLink(token: string): Promise<string | null>;
  /** The session of a link that was used up within the last 10 minutes; null: none was. */
  sessionOfUsedLink(token: string): Promise<string | null>;
  /** `usesUp`: the link cannot be opened again. Returns the id for the guest's cookie, or null for a used, expired or unknown link. */
  openGuestLogin(session: string, token: string, usesUp: boolean): Promise<string | null>;
}

export type LinkMaker = Pick<Caller, 'keyName' | 'madeKey' | 'via'>;

export interface FoundLogin extends Grant {
  readonly login: BrowserLogin;
  /** The key of the login. For a guest: the key that made the link. */
  readonly apiKey: ApiKey;
}

export const loginTtlS = 12 * 3_600;
export const guestLoginTtlS = 600;

export function createBrowserLogins(redis: Redis, apiKeys: ApiKeys, madeKeys: MadeKeys): BrowserLogins {
  /** The key made while the product ran that a login or link belongs to. Takes a round trip only for such a login. */
  async function madeKeyOf(stored: StoredLogin | null): Promise<MadeKey | null> {
    return stored === null || stored.digest === null ? null : madeKeys.get(stored.digest);
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
        const stored = parseStoredLogin(found[i]);
        const isGuest = login.kind === 'guest';
        if (stored === null || (isGuest && !isOf(stored, session, note))) continue;
        const apiKey = keyOfLogin(stored, apiKeys, await madeKeyOf(stored));
        if (apiKey !== null) return { login, apiKey, madeKey: stored.digest };
      }
      return null;
    },

    async makeQrLink(session, maker, ttlS) {
      const token = newToken();
      const keys = [qrLinkKey(sha256Hex(token)), accountKeyOf(session)];
      const key = maker.madeKey ? await madeKeys.get(maker.madeKey) : apiKeys.named(maker.keyName);
      if (key === null && maker.keyName !== '') throw accessEnded(maker);
      const link = storedLoginJson(key, session);
      await viaRedis(() => makeQrLinkScript(redis, keys, [link, ttlS]));
      return token;
    },

    async sessionOfQrLink(token) {
      const link = parseStoredLogin(await viaRedis(() => redis.get(qrLinkKey(sha256Hex(token)))));
      if (link === null || !isSessionName(link.session)) return null;
      const note = await viaRedis(() => redis.get(accountKeyOf(link.session)));
      if (!isOf(link, link.session, note)) return null;
      const isMakersValid =
        link.name === '' ? apiKeys.isEmpty : keyOfLogin(link, apiKeys, await madeKeyOf(link)) !== null;
      return isMakersValid ? link.session : null;
    },

    async sessionOfUsedLink(token) {
      const session = await viaRedis(() => redis.get(usedQrLinkKey(sha256Hex(token))));
      return session !== null && isSessionName(session) ? session : null;
    },

    async openGuestLogin(session, token, usesUp) {
      const id = newToken();
      const digest = sha256Hex(token);
      const keys = [
        ...[qrLinkKey(digest), usedQrLinkKey(digest)],
        ...[guestLoginKey(sha256Hex(id)), accountKeyOf(session)],
      ];
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

// KEYS link usedLink guestLogin account | ARGV ttlS of the guest login, session, 1 to use the link up
// returns 1, or 0 if there is no such link for this account of this session
const openGuestLoginScript = luaScript<number>(
  'openGuestLogin',
  4,
  `local link = redis.call('GET', KEYS[1])
   if not link then return 0 end
   local of = string.match(link, '"session":"([a-z0-9-]+)"') or '${defaultSession}'
   if of ~= ARGV[2] then return 0 end
   if ARGV[3] == '1' then redis.call('DEL', KEYS[1]) end
   local made = tonumber(string.match(link, '"account":(%d+)}$') or '0')
   local number = tonumber(string.match(redis.call('GET', KEYS[4]) or '', '^%d+') or '0')
   if made ~= number then return 0 end
   if ARGV[3] == '1' then redis.call('SET', KEYS[2], of, 'EX', ARGV[1]) end
   redis.call('SET', KEYS[3], link, 'EX', ARGV[1])
   return 1`,
);

/** Whether a link or guest login is for this session, and for the account that it has now. `note`: the text of the key `account`. */
function isOf(stored: StoredLogin, session: string, note: string | null | undefined): boolean {
  return stored.session === session && stored.account === accountGeneration(note);
}

function accountKeyOf(session: string): string {
  return sessionKeys(session).account;
}
