import { Queue } from 'bullmq';
import { keyPrefix } from '../../contract/keys.js';
import { queueNotices } from '../../platform/queue-notices.js';
import type { Redis } from '../../platform/redis.js';
import { viaRedis } from './redis-call.js';

/** BullMQ's queues, for callers who wait for an answer and must never wait for Redis to come back. */

/** `redis` stays the caller's to close. */
export function openQueue<Data>(name: string, redis: Redis): Queue<Data> {
  const queue = new Queue<Data>(name, {
    connection: redis,
    prefix: keyPrefix,
    streams: queueNotices,
    // The check is an INFO whose failure, in an outage at the wrong moment, would disable the queue for good.
    skipVersionCheck: true,
  });
  // Outages are logged by the connection; the call that met one gets it as its own error.
  queue.on('error', () => undefined);
  return queue;
}

/** BullMQ waits for a connection before a command; a caller must not, nor have it carried out later. */
export async function unlessDown<T>(redis: Redis, call: () => Promise<T>): Promise<T> {
  return viaRedis(async () => {
    if (redis.status !== 'ready') throw new Error('not connected');
    return await call();
  });
}
