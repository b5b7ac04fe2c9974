import { RateLimiterRedis, type RateLimiterRes } from 'rate-limiter-flexible';
import { type BoundName, bounds } from '../../contract/bounds.js';
import { ApiError } from '../../contract/errors.js';
import { limitsPrefix } from '../../contract/keys.js';
import { isNoNumber } from '../../platform/odd-data.js';
import type { Redis } from '../../platform/redis/connection.js';
import { setAsideText, settingAside } from '../../platform/redis/set-aside.js';
import { viaRedis } from '../session/redis-errors.js';
import type { Caller } from './authorize.js';

/**
 * How often somebody may ask for what changes or costs something, counted in Redis for all replicas together. Each
 * throws `rate_limited`, or `redis_unavailable`: what is limited needs Redis itself.
 */
export interface Limits {
  /** Counts one request, of the key and of the address. */
  spend(caller: Caller, address: string): Promise<void>;
  /** Counts one try to log in. */
  tryLogin(address: string): Promise<void>;
  /** It was the right key: the tries before it are forgotten. */
  forgiveLogins(address: string): Promise<void>;
}

const triesToLogIn = 10;
const triesWindowS = 900;

/** `perMinute` 0: requests are not counted; tries to log in always are. */
export function createLimits(redis: Redis, perMinute: number): Limits {
  const store = { storeClient: redis, rejectIfRedisNotReady: true };
  const requests = new RateLimiterRedis({
    ...{ ...store, keyPrefix: `${limitsPrefix}:requests` },
    ...{ points: perMinute, duration: 60 },
  });
  const logins = new RateLimiterRedis({
    ...{ ...store, keyPrefix: `${limitsPrefix}:logins` },
    ...{ points: triesToLogIn, duration: triesWindowS },
  });
  // Each address that tries has a key of its own: so many there can be.
  const allLogins = new RateLimiterRedis({
    ...{ ...store, keyPrefix: `${limitsPrefix}:all-logins` },
    ...{ points: bounds.loginTries, duration: triesWindowS },
  });
  return {
    async spend({ keyName }, address) {
      if (perMinute === 0) return;
      const spenders = [`address:${address}`, ...(keyName === '' ? [] : [`key:${keyName}`])];
      const what = `more than ${perMinute} requests a minute`;
      await Promise.all(spenders.map((spender) => consume(redis, requests, spender, what)));
    },
    async tryLogin(address) {
      const tooMany = `more than ${bounds.loginTries} tries to log in, from everywhere together`;
      await consume(redis, allLogins, 'all', tooMany, 'loginTries');
      await consume(redis, logins, address, 'too many tries to log in');
    },
    async forgiveLogins(address) {
      await viaRedis(() => logins.delete(address));
    },
  };
}

/** null: it is within the limit. A counter that is none is set aside, and begun anew. */
async function count(
  redis: Redis,
  limiter: RateLimiterRedis,
  spender: string,
): Promise<RateLimiterRes | null> {
  const key = `${limiter.keyPrefix}:${spender}`;
  const consumed = () =>
    limiter.consume(spender).then(
      () => null,
      (rejection: RateLimiterRes | Error) => {
        if (rejection instanceof Error) throw rejection;
        return rejection;
      },
    );
  try {
    return await settingAside(redis, [key], consumed);
  } catch (error) {
    if (!isNoNumber(error) || !(await setAsideText(redis, key))) throw error;
    return consumed();
  }
}

async function consume(
  redis: Redis,
  limiter: RateLimiterRedis,
  spender: string,
  what: string,
  bound?: BoundName,
): Promise<void> {
  const refusal = await viaRedis(() => count(redis, limiter, spender));
  if (refusal === null) return;
  const waitS = Math.max(1, Math.ceil(refusal.msBeforeNext / 1_000));
  throw new ApiError('rate_limited', `${what}; try again in ${waitS} s`, {
    headers: { 'retry-after': String(waitS) },
    ...(bound === undefined ? {} : { bound }),
  });
}
