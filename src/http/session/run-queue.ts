import type { StartJob } from '../../contract/intent.js';
import { runJobId, sessionsQueue } from '../../contract/names.js';
import { openQueue } from '../../platform/open-queue.js';
import type { Redis } from '../../platform/redis.js';
import { startJobOptions } from '../../platform/start-job.js';
import { unlessDown } from './queue-connection.js';

/** The queue whose jobs are the runs of sessions, as seen by those who ask for them. */
export interface RunQueue {
  /** Asks for a run. One job id a session makes concurrent starts one run: adding again changes nothing. */
  add(session: string): Promise<void>;
  /** Takes back what nobody has begun. False: a supervisor holds it. */
  remove(session: string): Promise<boolean>;
  close(): Promise<void>;
}

/** `redis` stays the caller's to close. */
export function createRunQueue(redis: Redis): RunQueue {
  const queue = openQueue<StartJob>(sessionsQueue, redis);
  return {
    async add(session) {
      const { name, data, options } = startJobOptions(session);
      await unlessDown(redis, () => queue.add(name, data, options));
    },
    remove: (session) => unlessDown(redis, async () => (await queue.remove(runJobId(session))) === 1),
    close: () => queue.close(),
  };
}
