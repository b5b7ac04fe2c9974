import { Redis } from 'ioredis';
import { keyPrefix } from '../../src/contract/keys.js';
import { defaultSession, runJobId, sessionsQueue } from '../../src/contract/names.js';
import { timingSchema } from '../../src/contract/timing.js';

export interface LeaseWatch {
  /** Ends the looks; to what they saw. */
  stop(): Promise<{ readonly oldestMs: number; readonly looks: number; readonly renewIntervalMs: number }>;
}

/** Looks at the life that the lock of the default session has left in Redis, of one with the usual timing. */
export function watchLease(redisUrl: string, everyMs = 100): LeaseWatch {
  const { lockDurationMs, renewIntervalMs } = timingSchema.parse({});
  const redis = new Redis(redisUrl);
  let oldestMs = 0;
  let looks = 0;
  const look = async () => {
    const leftMs = await redis.pttl(`${keyPrefix}:${sessionsQueue}:${runJobId(defaultSession)}:lock`);
    looks++;
    // Without any: lost.
    oldestMs = Math.max(oldestMs, leftMs < 0 ? Number.POSITIVE_INFINITY : lockDurationMs - leftMs);
  };
  let latest = look();
  const timer = setInterval(() => {
    latest = latest.then(look);
  }, everyMs);
  return {
    async stop() {
      clearInterval(timer);
      await latest;
      redis.disconnect();
      return { oldestMs, looks, renewIntervalMs };
    },
  };
}
