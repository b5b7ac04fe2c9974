import { Queue } from 'bullmq';
import { keyPrefix } from '../../contract/keys.js';
import type { Redis } from '../redis/connection.js';

/** BullMQ's queue of this name, as everybody opens it: its options are stored with it. `redis` stays the caller's to close. */
export function openQueue<Data>(name: string, redis: Redis): Queue<Data> {
  const queue = new Queue<Data>(name, {
    connection: redis,
    prefix: keyPrefix,
    // What happens in a queue BullMQ tells in a stream, return values included, and nobody here listens. Its own is 10,000.
    streams: { events: { maxLen: 100 } },
    // The check is an INFO whose failure, in an outage at the wrong moment, would disable the queue for good.
    skipVersionCheck: true,
  });
  // Outages are logged by the connection; the call that met one gets it as its own error.
  queue.on('error', () => undefined);
  return queue;
}
