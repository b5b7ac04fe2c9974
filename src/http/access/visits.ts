import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { ApiKey } from '../../contract/access.js';
import { loginKey, qrLinkKey, qrVisitKey } from '../../contract/keys.js';
import { sha256 } from '../../platform/api-keys.js';
import { luaScript } from '../../platform/lua-script.js';
import type { Redis } from '../../platform/redis.js';
import { viaRedis } from '../session/redis-call.js';
import type { KeyRing } from './key-ring.js';

/**
 * What browsers carry instead of a key: random ids, of which Redis has the digests. Each ends with its time, and
 * with the key that it was opened under.
 */
export interface Visits {
  /** A login under this key; the id for the cookie. */
  openLogin(key: ApiKey): Promise<string>;
  closeLogin(id: string): Promise<void>;
  /** Who these ids belong to, in one round trip. */
  find(loginId: string | null, visitId: string | null): Promise<{ login: ApiKey | null; isVisitor: boolean }>;
  /** A token that opens one visit. `maker` is the name of a key, or `''` without keys. */
  makeQrLink(maker: string, ttlS: number): Promise<string>;
  isQrLink(token: string): Promise<boolean>;
  /** Burns the link; the id of the visit, or null where the link is used, too old or never was. */
  openQrVisit(token: string): Promise<string | null>;
}

export const loginAgeS = 12 * 3_600;
/** From the opening of the link. */
export const qrVisitAgeS = 600;

const ownerSchema = z.object({ name: z.string(), key: z.string() });

export function createVisits(redis: Redis, ring: KeyRing): Visits {
  const ownerOf = (key: ApiKey | null) =>
    JSON.stringify({ name: key?.name ?? '', key: key === null ? '' : markOf(key) });

  /** Of a key that is still configured, and still the same. */
  function keyBehind(json: string | null | undefined): ApiKey | null {
    if (!json) return null;
    const owner = ownerSchema.parse(JSON.parse(json));
    const key = ring.named(owner.name);
    return key !== null && markOf(key) === owner.key ? key : null;
  }

  return {
    async openLogin(key) {
      const id = newToken();
      await viaRedis(() => redis.set(loginKey(digestOf(id)), ownerOf(key), 'EX', loginAgeS));
      return id;
    },

    async closeLogin(id) {
      await viaRedis(() => redis.del(loginKey(digestOf(id))));
    },

    async find(loginId, visitId) {
      const keys = [loginKey(digestOf(loginId ?? '')), qrVisitKey(digestOf(visitId ?? ''))];
      const [login, visit] = await viaRedis(() => redis.mget(...keys));
      return { login: keyBehind(login), isVisitor: keyBehind(visit) !== null };
    },

    async makeQrLink(maker, ttlS) {
      const token = newToken();
      await viaRedis(() => redis.set(qrLinkKey(digestOf(token)), ownerOf(ring.named(maker)), 'EX', ttlS));
      return token;
    },

    isQrLink: (token) => viaRedis(async () => (await redis.exists(qrLinkKey(digestOf(token)))) === 1),

    async openQrVisit(token) {
      const id = newToken();
      const keys = [qrLinkKey(digestOf(token)), qrVisitKey(digestOf(id))];
      const isOpen = await viaRedis(() => openQrVisitScript(redis, keys, [qrVisitAgeS]));
      return isOpen === 1 ? id : null;
    },
  };
}

// KEYS link visit | ARGV age in s of the visit | returns 1, or 0 where there is no such link
const openQrVisitScript = luaScript<number>(
  'openQrVisit',
  2,
  `local owner = redis.call('GET', KEYS[1])
   if not owner then return 0 end
   redis.call('DEL', KEYS[1])
   redis.call('SET', KEYS[2], owner, 'EX', ARGV[1])
   return 1`,
);

function newToken(): string {
  return randomBytes(32).toString('base64url');
}

function digestOf(token: string): string {
  return sha256(token).toString('hex');
}

/** Tells a key from another of the same name, and nothing else. */
function markOf(key: ApiKey): string {
  return key.sha256.slice(0, 16);
}
