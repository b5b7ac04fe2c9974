import { apiKeysKey } from '../../contract/keys.js';
import type { Redis } from '../../platform/redis/connection.js';
import { withQuarantine } from '../../platform/redis/quarantine.js';
import { accountGeneration } from '../../platform/store/account-cleanup.js';
import { type MadeKey, parseMadeKey } from '../../platform/store/made-keys.js';
import { repliesOf, viaRedis } from '../core/redis-errors.js';
import type { ApiKeys } from './api-keys.js';
import { type BrowserLogin, keyOfLogin, parseStoredLogin } from './stored-login.js';

/** What lets a caller in and can end: an API key that was made while the product ran, a login of a browser, or a login with such a key. */
export interface Grant {
  /** sha256 of the made key; null: the key is configured. */
  readonly madeKey: string | null;
  /** null: the caller presented the key itself. */
  readonly login: BrowserLogin | null;
}

export interface GrantCheck {
  readonly isValid: boolean;
  /** Until it ends by itself. Infinity: it does not. */
  readonly ttlMs: number;
}

/** Whether each grant is still valid. Takes one round trip. Throws `redis_unavailable`. */
export type CheckGrants = (grants: readonly Grant[]) => Promise<GrantCheck[]>;

/** Distinguishes grants. */
export function grantId({ madeKey, login }: Grant): string {
  return login?.redisKey ?? `${apiKeysKey} ${madeKey}`;
}

export function createCheckGrants(redis: Redis, apiKeys: ApiKeys): CheckGrants {
  return async (grants) => {
    const logins = grants.flatMap(({ login }) => login ?? []);
    const texts = [...new Set(logins.flatMap(({ accountKey, redisKey }) => [accountKey, redisKey]))];
    const digests = [...new Set(grants.flatMap(({ madeKey }) => madeKey ?? []))];
    const replies = await viaRedis(() =>
      withQuarantine(redis, [apiKeysKey], () => {
        const pipeline = redis.pipeline();
        if (texts.length > 0) pipeline.mget(...texts);
        if (digests.length > 0) pipeline.hmget(apiKeysKey, ...digests);
        for (const { redisKey } of logins) pipeline.pttl(redisKey);
        return repliesOf(pipeline);
      }),
    );
    const next = () => replies.shift() as (string | null)[];
    const textOf = byName(texts, texts.length > 0 ? next() : []);
    const entryOf = byName(digests, digests.length > 0 ? next() : []);
    const ttlOf = new Map(logins.map(({ redisKey }, i) => [redisKey, ttlMsOf(Number(replies[i]))]));

    return grants.map(({ madeKey: digest, login }) => {
      const madeKey = digest === null ? null : parseMadeKey(digest, entryOf.get(digest));
      const ofKey = digest === null ? Number.POSITIVE_INFINITY : ttlOfKey(madeKey);
      if (login === null) return { isValid: madeKey !== null, ttlMs: ofKey };
      const { kind, redisKey, accountKey } = login;
      const stored = parseStoredLogin(textOf.get(redisKey));
      const isOfAccount = kind === 'key' || stored?.account === accountGeneration(textOf.get(accountKey));
      return {
        isValid: stored !== null && isOfAccount && keyOfLogin(stored, apiKeys, madeKey) !== null,
        ttlMs: Math.min(ofKey, ttlOf.get(redisKey) ?? 0),
      };
    });
  };
}

function byName(names: readonly string[], values: readonly (string | null)[]): Map<string, string | null> {
  return new Map(names.map((name, i) => [name, values[i] ?? null]));
}

function ttlOfKey(key: MadeKey | null): number {
  if (key === null) return 0;
  return key.expires_at === null ? Number.POSITIVE_INFINITY : Date.parse(key.expires_at) - Date.now();
}

/** PTTL replies -1 for a key without a TTL. */
function ttlMsOf(pttl: number): number {
  return pttl === -1 ? Number.POSITIVE_INFINITY : pttl;
}
