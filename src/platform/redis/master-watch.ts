import { absentKey } from '../../contract/keys.js';
import { pause, unlessAborted } from '../deadline.js';
import type { Logger } from '../logger.js';
import { redisRetryMs } from '../retry.js';
import { connectPatiently } from './connection.js';
import { settingAside } from './set-aside.js';

/** A look costs one command; Redis ends it at once where it becomes a replica meanwhile. */
const lookS = 20;

/**
 * For a process that may only read for hours, and would be answered by a master that was replaced as ever: it waits for
 * what never comes, by a command that a replica refuses. The refusal has all connections of the process find the new master.
 */
export function watchMaster(redisUrl: string, log: Logger): { stop(): Promise<void> } {
  const closing = new AbortController();
  // The parts say when Redis is away.
  const redis = connectPatiently(
    redisUrl,
    { socketTimeoutMs: 1.5 * lookS * 1_000 },
    log.child({}, { level: 'error' }),
  );
  const watch = async () => {
    while (!closing.signal.aborted) {
      try {
        const look = settingAside(redis, [absentKey], () => redis.bzpopmin(absentKey, lookS));
        await unlessAborted(look, closing.signal);
      } catch {
        await pause(redisRetryMs, closing.signal);
      }
    }
  };
  const end = watch();
  return {
    async stop() {
      closing.abort();
      redis.disconnect();
      await end;
    },
  };
}
