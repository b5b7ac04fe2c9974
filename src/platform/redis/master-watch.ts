import { absentKey } from '../../contract/keys.js';
import { pause, unlessAborted } from '../deadline.js';
import type { Logger } from '../logger.js';
import { redisRetryMs } from '../retry.js';
import { connectPatiently } from './connection.js';
import { withQuarantine } from './quarantine.js';

/** How long one command waits. Redis ends it at once when it becomes a replica. */
const waitS = 20;

/**
 * Detects that the master was replaced. A process that only reads for hours would not notice: the old master still answers
 * its reads. This waits on a key that is never written, with a command that a replica refuses. The refusal makes all
 * connections of the process reconnect (connection-group.ts).
 */
export function watchMaster(redisUrl: string, log: Logger): { stop(): Promise<void> } {
  const closing = new AbortController();
  // Other connections log outages.
  const redis = connectPatiently(
    redisUrl,
    { socketTimeoutMs: 1.5 * waitS * 1_000 },
    log.child({}, { level: 'error' }),
  );
  const watchUntilClosed = async () => {
    while (!closing.signal.aborted) {
      try {
        const wait = withQuarantine(redis, [absentKey], () => redis.bzpopmin(absentKey, waitS));
        await unlessAborted(wait, closing.signal);
      } catch {
        await pause(redisRetryMs, closing.signal);
      }
    }
  };
  const ended = watchUntilClosed();
  return {
    async stop() {
      closing.abort();
      redis.disconnect();
      await ended;
    },
  };
}
