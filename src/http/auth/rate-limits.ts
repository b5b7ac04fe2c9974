import { RateLimiterRedis, type RateLimiterRes } from 'rate-limiter-flexible';
import { type BoundName, bounds } from '../../contract/bounds.js';
import { ApiError } from '../../contract/errors.js';
import { limitsPrefix } from '../../contract/keys.js';
import { counted } from '../../platform/counted.js';
import { isNotInteger } from '../../platform/data-errors.js';
import type { Redis } from '../../platform/redis/connection.js';
import { quarantineUnreadable, withQuarantine } from '../../platform/redis/quarantine.js';
import type { Caller } from '../core/caller.js';
import { viaRedis } from '../core/redis-errors.js';

/**
 * Limits on requests that change or cost something, and on login attempts. Redis counts them for all replicas together. All
 * methods throw `rate_limited` or `redis_unavailable`.
 */
export interface RateLimits {
  /** Counts one request, for the key and for the address. */
  countRequest(caller: Caller, address: string): Promise<void>;
  /** Counts one call that goes on with a session's request for a passkey. */
  countPasskeyCall(session: string): Promise<void>;
  /** Counts one login attempt. */
  countLoginAttempt(address: string): Promise<void>;
  /** Resets the attempts of an address, after a login. */
  resetLoginAttempts(address: string): Promise<void>;
}

/** In a minute, of a session. A person needs two or three. */
const passkeyCalls = 10;
const loginAttempts = 10;
const loginAttemptsWindowS = 900;

/** `perMinute`: the limit for one key or address; 0: no limit. Login attempts are always limited. */
export function createRateLimits(redis: Redis, perMinute: number): RateLimits {
  const store = { storeClient: redis, rejectIfRedisNotReady: true };
  const requests = new RateLimiterRedis({
    ...{ ...store, keyPrefix: `${limitsPrefix}:requests` },
    ...{ points: perMinute, duration: 60 },
  });
  const passkeys = new RateLimiterRedis({
    ...{ ...store, keyPrefix: `${limitsPrefix}:passkeys` },
    ...{ points: passkeyCalls, duration: 60 },
  });
  const logins = new RateLimiterRedis({
    ...{ ...store, keyPrefix: `${limitsPrefix}:logins` },
    ...{ points: loginAttempts, duration: loginAttemptsWindowS },
  });
  // Bounds the number of keys in Redis: each address that tries has one.
  const allLogins = new RateLimiterRedis({
    ...{ ...store, keyPrefix: `${limitsPrefix}:all-logins` },
    ...{ points: bounds.loginTries, duration: loginAttemptsWindowS },
  });
  return {
    async countRequest({ keyName }, address) {
      if (perMinute === 0) return;
      const ids = [`address:${address}`, ...(keyName === '' ? [] : [`key:${keyName}`])];
      const what = `more than ${counted(perMinute, 'request')} a minute (WHATSAPP_RATE_LIMIT)`;
      await Promise.all(ids.map((id) => consume(redis, requests, id, what)));
    },
    async countPasskeyCall(session) {
      const what = `more than ${passkeyCalls} calls for a passkey a minute`;
      await consume(redis, passkeys, session, what);
    },
    async countLoginAttempt(address) {
      const tooMany = `more than ${bounds.loginTries} login attempts from all addresses together`;
      await consume(redis, allLogins, 'all', tooMany, 'loginTries');
      await consume(redis, logins, address, 'too many login attempts');
    },
    async resetLoginAttempts(address) {
      await viaRedis(() => logins.delete(address));
    },
  };
}

/** Returns null within the limit. A counter that is not a number is put in quarantine, and counting starts again. */
async function count(redis: Redis, limiter: RateLimiterRedis, id: string): Promise<RateLimiterRes | null> {
  const key = `${limiter.keyPrefix}:${id}`;
  const consumed = () =>
    limiter.consume(id).then(
      () => null,
      (rejection: RateLimiterRes | Error) => {
        if (rejection instanceof Error) throw rejection;
        return rejection;
      },
    );
  try {
    return await withQuarantine(redis, [key], consumed);
  } catch (error) {
    if (!isNotInteger(error) || !(await quarantineUnreadable(redis, key))) throw error;
    return consumed();
  }
}

async function consume(
  redis: Redis,
  limiter: RateLimiterRedis,
  id: string,
  what: string,
  bound?: BoundName,
): Promise<void> {
  const refusal = await viaRedis(() => count(redis, limiter, id));
  if (refusal === null) return;
  const waitS = Math.max(1, Math.ceil(refusal.msBeforeNext / 1_000));
  throw new ApiError('rate_limited', `${what}; try again in ${waitS} s`, {
    headers: { 'retry-after': String(waitS) },
    ...(bound === undefined ? {} : { bound }),
  });
}
