import type { StartJob } from '../../contract/intent.js';
import { queueKeys } from '../../contract/key-types.js';
import { runJobId, sessionsQueue } from '../../contract/names.js';
import { openQueue } from '../../platform/queues/open-queue.js';
import { addStart, mendStarts } from '../../platform/queues/start-queue.js';
import type { Redis } from '../../platform/redis/connection.js';
import { settingAside } from '../../platform/redis/set-aside.js';
import { viaRedis } from './redis-errors.js';

/** The queue whose jobs are the runs of sessions, as seen by those who ask for them. */
export interface RunQueue {
  /** Asks for a run. One job id a session makes concurrent starts one run: adding again changes nothing. */
  add(session: string): Promise<void>;
  /** One that waits and cannot be taken can be afterwards. */
  mend(session: string): Promise<void>;
  /** Takes back what nobody has begun. False: a supervisor holds it. */
  remove(session: string): Promise<boolean>;
  close(): Promise<void>;
}

/** `redis` stays the caller's to close. */
export function createRunQueue(redis: Redis): RunQueue {
  const queue = openQueue<StartJob>(sessionsQueue, redis);
  return {
    async add(session) {
      await unlessDown(redis, () => addStart(redis, queue, session));
    },
    mend: (session) => unlessDown(redis, () => mendStarts(redis, [session])),
    remove: (session) =>
      unlessDown(redis, async () => {
        const keys = queueKeys(sessionsQueue);
        return (await settingAside(redis, keys, () => queue.remove(runJobId(session)))) === 1;
      }),
    close: () => queue.close(),
  };
}

/** BullMQ waits for a connection before a command; a caller must not, nor have it carried out later. */
export async function unlessDown<T>(redis: Redis, call: () => Promise<T>): Promise<T> {
  return viaRedis(async () => {
    if (redis.status !== 'ready') throw new Error('not connected');
    return await call();
  });
}
