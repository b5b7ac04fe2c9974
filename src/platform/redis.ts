import { Redis, type RedisOptions } from 'ioredis';
import type { Timing } from '../contract/timing.js';
import type { Logger } from './logger.js';

export type { Redis };

type ConnectionTiming = Pick<Timing, 'socketTimeoutMs'>;

/**
 * A connection for work that outlives an outage: commands wait for Redis to come back. `socketTimeout` is what
 * notices a partition that swallows packets without a reset; a blocking read must be shorter.
 */
export function connectPatiently(url: string, timing: ConnectionTiming, log: Logger): Redis {
  return connect(
    url,
    {
      maxRetriesPerRequest: null,
      socketTimeout: timing.socketTimeoutMs,
    },
    log,
  );
}

/** A connection for answers that somebody waits for: a command fails at once, or when its time is up. */
export function connectForAnswers(url: string, commandTimeoutMs: number, log: Logger): Redis {
  return connect(
    url,
    {
      commandTimeout: commandTimeoutMs,
      // Late commands alone would never end a connection whose packets are swallowed.
      socketTimeout: 3 * commandTimeoutMs,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
    },
    log,
  );
}

/** Closes without waiting for a Redis that may be gone. */
export async function disconnect(redis: Redis): Promise<void> {
  await Promise.race([
    redis.quit().catch(() => undefined),
    new Promise((done) => setTimeout(done, 500).unref()),
  ]);
  redis.disconnect();
}

function connect(url: string, options: RedisOptions, log: Logger): Redis {
  const all: RedisOptions = {
    ...options,
    enableReadyCheck: true,
    connectTimeout: 3_000,
    retryStrategy: (attempt) => Math.min(50 * attempt, 500),
  };
  const redis = url.startsWith('unix:')
    ? new Redis({ ...all, path: decodeURIComponent(new URL(url).pathname) })
    : new Redis(url, all);
  logOutages(redis, log);
  return redis;
}

/** One line for each outage and each recovery, not one for each of its thousand errors. */
export function logOutages(redis: Redis, log: Logger): void {
  let isDown = false;
  redis.on('error', (error) => {
    if (!isDown) log.warn({ error: error.message }, 'redis is not reachable; reconnecting');
    isDown = true;
  });
  redis.on('ready', () => {
    if (isDown) log.info('redis is reachable again');
    isDown = false;
  });
}

/** Redis' own clock, ms: what several hosts compare must not depend on theirs. */
export async function redisTimeMs(redis: Redis): Promise<number> {
  const [seconds, micros] = await redis.time();
  return Number(seconds) * 1_000 + Number(micros) / 1_000;
}
