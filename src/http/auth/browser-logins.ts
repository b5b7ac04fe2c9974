import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { ApiKey } from '../../contract/access.js';
import { loginKey, qrLinkKey, qrVisitKey, sessionKeys } from '../../contract/keys.js';
import { sha256 } from '../../platform/api-key.js';
import type { Redis } from '../../platform/redis/connection.js';
import { luaScript } from '../../platform/redis/lua-script.js';
import { accountNumber } from '../../platform/store/account-end.js';
import { repliesOf, viaRedis } from '../session/redis-errors.js';
import type { ApiKeys } from './api-keys.js';

/**
 * What browsers carry instead of a key: random ids, of which Redis has the digests. Each ends with its time, and
 * with the key that it was opened under; what a QR link opens also with the account that it was made before.
 */
export interface Visits {
  /** A login under this key; the id for the cookie. */
  openLogin(key: ApiKey): Promise<string>;
  closeLogins(ids: readonly string[]): Promise<void>;
  /** The first of these ids that stands, logins before visits, in one round trip. */
  find(loginIds: readonly string[], visitIds: readonly string[]): Promise<FoundVisit | null>;
  /** Whether each still stands, and for how many ms, in one round trip. */
  look(visits: readonly Visit[]): Promise<{ readonly stands: boolean; readonly lifeMs: number }[]>;
  /** A token that opens one visit. `maker` is the name of a key, or `''` without keys. */
  makeQrLink(maker: string, ttlS: number): Promise<string>;
  isQrLink(token: string): Promise<boolean>;
  /** Burns the link; the id of the visit, or null where the link is used, too old or never was. */
  openQrVisit(token: string): Promise<string | null>;
}

/** What somebody is let in by, as Redis knows it. */
export interface Visit {
  readonly kind: 'login' | 'qr';
  readonly key: string;
}

export interface FoundVisit extends Visit {
  /** What was logged in with; of a QR link the key that made it. */
  readonly owner: ApiKey;
}

export const loginAgeS = 12 * 3_600;
/** From the opening of the link. */
export const qrVisitAgeS = 600;

/** `account`: how often the session's account had ended when a link was made; an earlier version did not note it. */
const ownerSchema = z.object({ name: z.string(), key: z.string(), account: z.int().default(0) });

export function createVisits(redis: Redis, apiKeys: ApiKeys, session: string): Visits {
  const accountKey = sessionKeys(session).account;
  const ownerOf = (key: ApiKey | null) =>
    JSON.stringify({ name: key?.name ?? '', key: key === null ? '' : markOf(key) });

  /** Whose a login, a link or a visit is, of a key that is still configured, and still the same. */
  function ownerIn(kind: Visit['kind'], json: string | null | undefined, account: number): ApiKey | null {
    const owner = parseOwner(json);
    if (owner === null || (kind === 'qr' && owner.account !== account)) return null;
    const key = apiKeys.named(owner.name);
    return key !== null && markOf(key) === owner.key ? key : null;
  }

  return {
    async openLogin(key) {
      const id = newToken();
      await viaRedis(() => redis.set(loginKey(digestOf(id)), ownerOf(key), 'EX', loginAgeS));
      return id;
    },

    async closeLogins(ids) {
      if (ids.length > 0) await viaRedis(() => redis.del(...ids.map((id) => loginKey(digestOf(id)))));
    },

    async find(loginIds, visitIds) {
      const visits: Visit[] = [
        ...loginIds.map((id) => ({ kind: 'login' as const, key: loginKey(digestOf(id)) })),
        ...visitIds.map((id) => ({ kind: 'qr' as const, key: qrVisitKey(digestOf(id)) })),
      ];
      if (visits.length === 0) return null;
      const keys = [accountKey, ...visits.map(({ key }) => key)];
      const [note, ...found] = await viaRedis(() => redis.mget(...keys));
      for (const [i, visit] of visits.entries()) {
        const owner = ownerIn(visit.kind, found[i], accountNumber(note));
        if (owner !== null) return { ...visit, owner };
      }
      return null;
    },

    async look(visits) {
      const keys = visits.map(({ key }) => key);
      const pipeline = redis.pipeline().mget(accountKey, ...keys);
      for (const key of keys) pipeline.pttl(key);
      const [values, ...lives] = await viaRedis(() => repliesOf(pipeline));
      const [note, ...found] = values as (string | null)[];
      return visits.map(({ kind }, i) => ({
        stands: ownerIn(kind, found[i], accountNumber(note)) !== null,
        lifeMs: lifeOf(Number(lives[i])),
      }));
    },

    async makeQrLink(maker, ttlS) {
      const token = newToken();
      const keys = [qrLinkKey(digestOf(token)), accountKey];
      await viaRedis(() => makeQrLinkScript(redis, keys, [ownerOf(apiKeys.named(maker)), ttlS]));
      return token;
    },

    async isQrLink(token) {
      const [note, json] = await viaRedis(() => redis.mget(accountKey, qrLinkKey(digestOf(token))));
      if (apiKeys.isEmpty) return parseOwner(json)?.account === accountNumber(note);
      return ownerIn('qr', json, accountNumber(note)) !== null;
    },

    async openQrVisit(token) {
      const id = newToken();
      const keys = [qrLinkKey(digestOf(token)), qrVisitKey(digestOf(id)), accountKey];
      const isOpen = await viaRedis(() => openQrVisitScript(redis, keys, [qrVisitAgeS]));
      return isOpen === 1 ? id : null;
    },
  };
}

// KEYS link account | ARGV owner, age in s | returns 1
const makeQrLinkScript = luaScript<number>(
  'makeQrLink',
  2,
  `local number = string.match(redis.call('GET', KEYS[2]) or '', '^%d+') or '0'
   redis.call('SET', KEYS[1], string.sub(ARGV[1], 1, -2) .. ',"account":' .. number .. '}', 'EX', ARGV[2])
   return 1`,
);

// KEYS link visit account | ARGV age in s of the visit | returns 1, or 0 where there is no such link for this account
const openQrVisitScript = luaScript<number>(
  'openQrVisit',
  3,
  `local owner = redis.call('GET', KEYS[1])
   if not owner then return 0 end
   redis.call('DEL', KEYS[1])
   local made = tonumber(string.match(owner, '"account":(%d+)}$') or '0')
   local number = tonumber(string.match(redis.call('GET', KEYS[3]) or '', '^%d+') or '0')
   if made ~= number then return 0 end
   redis.call('SET', KEYS[2], owner, 'EX', ARGV[1])
   return 1`,
);

/** null: there is none, or nobody can read it. */
function parseOwner(json: string | null | undefined): z.infer<typeof ownerSchema> | null {
  if (!json) return null;
  try {
    return ownerSchema.parse(JSON.parse(json));
  } catch {
    return null;
  }
}

/** What has no time to live is not ended by it. */
function lifeOf(pttl: number): number {
  return pttl === -1 ? Number.POSITIVE_INFINITY : pttl;
}

function newToken(): string {
  return randomBytes(32).toString('base64url');
}

export function digestOf(token: string): string {
  return sha256(token).toString('hex');
}

/** Tells a key from another of the same name, and nothing else. */
function markOf(key: ApiKey): string {
  return key.sha256.slice(0, 16);
}
