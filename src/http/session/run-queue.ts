import type { StartJob } from '../../contract/intent.js';
import { queueKeys } from '../../contract/key-types.js';
import { runJobId, sessionsQueue } from '../../contract/names.js';
import { openQueue } from '../../platform/queues/job-queue.js';
import { addStart, noteStart } from '../../platform/queues/start-queue.js';
import { repairStartQueue } from '../../platform/queues/start-queue-repair.js';
import type { Redis } from '../../platform/redis/connection.js';
import { withQuarantine } from '../../platform/redis/quarantine.js';
import { unlessDown } from '../core/redis-errors.js';

/** The producer's side of the queue whose jobs are the runs of sessions. */
export interface RunQueue {
  /** Adds a start. Each session has one job id, so concurrent starts make one run. */
  add(session: string): Promise<void>;
  /** Notes whether a start waits. */
  note(session: string): Promise<void>;
  /** Repairs a waiting start that no supervisor can take. */
  repair(session: string): Promise<void>;
  /** Removes a start that no supervisor has taken. Returns false if a supervisor holds it. */
  remove(session: string): Promise<boolean>;
  close(): Promise<void>;
}

/** The caller closes `redis`. */
export function createRunQueue(redis: Redis): RunQueue {
  const queue = openQueue<StartJob>(sessionsQueue, redis);
  return {
    async add(session) {
      await unlessDown(redis, () => addStart(redis, queue, session));
    },
    note: (session) => unlessDown(redis, () => noteStart(redis, session)),
    repair: (session) => unlessDown(redis, () => repairStartQueue(redis, [session])),
    remove: (session) =>
      unlessDown(redis, async () => {
        const keys = queueKeys(sessionsQueue);
        return (await withQuarantine(redis, keys, () => queue.remove(runJobId(session)))) === 1;
      }),
    close: () => queue.close(),
  };
}
