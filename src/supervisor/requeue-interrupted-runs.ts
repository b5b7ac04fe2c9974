import { Job, type Queue } from 'bullmq';
import { messageOf } from '../contract/errors.js';
import { authStartJob, sessionOfJobId } from '../contract/names.js';
import { isDataError } from '../platform/data-errors.js';
import type { Logger } from '../platform/logger.js';
import type { Redis } from '../platform/redis/connection.js';
import { retryUntilSuccess } from '../platform/retry.js';
import { readFence } from '../platform/store/fence.js';
import { stepDown } from '../platform/store/run-store.js';

/**
 * Puts the runs of a killed supervisor back into the queue at once. Otherwise they would wait until their locks expire. Only for
 * a supervisor that is alone: then every active run belongs to a dead owner. Retries until Redis accepts it; rejects only once
 * `signal` aborts.
 */
export async function requeueInterruptedRuns(
  redis: Redis,
  queue: Queue,
  signal: AbortSignal,
  log: Logger,
): Promise<void> {
  const retried = <T>(attempt: () => Promise<T>) =>
    retryUntilSuccess(attempt, {
      signal,
      log,
      sentence: 'Redis refused to requeue an interrupted run; trying again',
    });
  const ids = await retried(() => redis.lrange(queue.toKey('active'), 0, -1));
  for (const id of ids) await retried(() => requeue(redis, queue, id, log));
}

async function requeue(redis: Redis, queue: Queue, id: string, log: Logger): Promise<void> {
  const session = sessionOfJobId(id);
  log.info({ session }, 'continuing a session that an earlier process left');
  try {
    // The dead owner's last heartbeat may not have expired yet.
    const fence = await readFence(redis, session);
    if (fence !== null) await stepDown(redis, session, fence.epoch);
    // The job's data are not needed here. Token '0' makes BullMQ skip the check of the lock, which the dead owner still holds.
    await new Job(queue, authStartJob, {}, {}, id).moveToWait('0');
  } catch (error) {
    if (!isDataError(error)) throw error;
    log.error(
      { session, error: messageOf(error) },
      'a session that an earlier process left cannot be continued',
    );
  }
}
