import { Queue } from 'bullmq';
import type { StartJob } from '../../contract/intent.js';
import { keyPrefix } from '../../contract/keys.js';
import { runJobId, sessionsQueue } from '../../contract/names.js';
import type { Redis } from '../../platform/redis.js';
import { startJobOptions } from '../../platform/start-job.js';
import { viaRedis } from './redis-call.js';

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
  const queue = new Queue<StartJob>(sessionsQueue, {
    connection: redis,
    prefix: keyPrefix,
    streams: { events: { maxLen: 100 } },
    // The check is an INFO whose failure, in an outage at the wrong moment, would disable the queue for good.
    skipVersionCheck: true,
  });
  // Outages are logged by the connection; the call that met one gets it as its own error.
  queue.on('error', () => undefined);

  /** BullMQ waits for a connection before a command; a caller must not, nor have it carried out later. */
  async function now<T>(call: () => Promise<T>): Promise<T> {
    return viaRedis(async () => {
      if (redis.status !== 'ready') throw new Error('not connected');
      return await call();
    });
  }

  return {
    async add(session) {
      const { name, data, options } = startJobOptions(session);
      await now(() => queue.add(name, data, options));
    },
    remove: (session) => now(async () => (await queue.remove(runJobId(session))) === 1),
    close: () => queue.close(),
  };
}
