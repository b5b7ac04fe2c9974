import { Redis } from 'ioredis';
import { keyPrefix } from '../../src/contract/keys.js';
import { defaultSession, runJobId, sessionsQueue } from '../../src/contract/names.js';
import { timingSchema } from '../../src/contract/timing.js';

export interface LeaseWatch {
  /** Stops; resolves to the oldest age seen, the number of samples and the usual interval of renewals. */
  stop(): Promise<{ readonly oldestMs: number; readonly samples: number; readonly renewIntervalMs: number }>;
}

/** Measures the age of the default session's lock in Redis every `everyMs`. Its owner must have the usual timing. */
export function watchLease(redisUrl: string, everyMs = 100): LeaseWatch {
  const { lockDurationMs, renewIntervalMs } = timingSchema.parse({});
  const redis = new Redis(redisUrl);
  let oldestMs = 0;
  let samples = 0;
  const sample = async () => {
    const leftMs = await redis.pttl(`${keyPrefix}:${sessionsQueue}:${runJobId(defaultSession)}:lock`);
    samples++;
    // A lock that does not exist, or does not expire, counts as lost.
    oldestMs = Math.max(oldestMs, leftMs < 0 ? Number.POSITIVE_INFINITY : lockDurationMs - leftMs);
  };
  let latest = sample();
  const timer = setInterval(() => {
    latest = latest.then(sample);
  }, everyMs);
  return {
    async stop() {
      clearInterval(timer);
      await latest;
      redis.disconnect();
      return { oldestMs, samples, renewIntervalMs };
    },
  };
}
