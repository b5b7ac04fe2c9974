import { type JobsOptions, Queue } from 'bullmq';
import { queueKeys } from '../../contract/key-types.js';
import { keyPrefix, queueKey } from '../../contract/keys.js';
import { isNotInteger, isWrongType } from '../data-errors.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import { quarantineUnreadable, quarantineWrongTypes } from '../redis/quarantine.js';
import { logOf } from '../redis/store-connection.js';

/**
 * Opens a queue of BullMQ. BullMQ stores the options with the queue, so every part must open it with the same ones. The
 * caller closes `redis`.
 */
export function openQueue<Data>(name: string, redis: Redis): Queue<Data> {
  const queue = new Queue<Data>(name, {
    connection: redis,
    prefix: keyPrefix,
    // BullMQ writes every event of a queue, with results, to a stream that has no reader. By default it keeps 10,000 entries.
    streams: { events: { maxLen: 100 } },
    // The check is an INFO. If it failed, in an outage at the wrong moment, the queue would be unusable for good.
    skipVersionCheck: true,
  });
  // The connection logs outages, and a call that fails gets its own error.
  queue.on('error', () => undefined);
  return queue;
}

/**
 * Adds a job. Changes nothing if a job has this id already. BullMQ may add only half of a job if a key of the queue has a
 * wrong type, or if its counter is not a number: then this quarantines the key and adds the other half.
 */
export async function addJob<Data>(
  redis: Redis,
  queue: Queue<Data>,
  name: string,
  data: Data,
  options: JobsOptions & { readonly jobId: string },
): Promise<void> {
  const add = () => (queue as Queue).add(name, data, options);
  try {
    await add();
  } catch (error) {
    const isRepaired = isWrongType(error)
      ? (await quarantineWrongTypes(redis, queueKeys(queue.name))) > 0
      : // `id` is BullMQ's counter of the jobs of a queue.
        isNotInteger(error) && (await quarantineUnreadable(redis, queue.toKey('id')));
    if (!isRepaired) throw error;
    await add();
    await requeueIfLost(redis, queue.name, options.jobId);
  }
}

/**
 * Puts a lost job back into its queue: one that is in no list and not locked. No worker would ever take it, and adding it again
 * changes nothing. False: the job is not lost.
 */
export async function requeueIfLost(redis: Redis, queue: string, jobId: string): Promise<boolean> {
  const key = (name: string) => queueKey(queue, name);
  const keys = [key(jobId), key(`${jobId}:lock`), ...['wait', 'active', 'paused'].map(key)];
  const sorted = ['marker', 'delayed', 'prioritized', 'completed', 'failed'].map(key);
  if ((await requeueScript(redis, [...keys, ...sorted], [jobId])) === 0) return false;
  logOf(redis)?.error({ jobId }, 'a job was in no list of its queue; requeued');
  return true;
}

// KEYS job lock wait active paused marker delayed prioritized completed failed
// ARGV jobId
// returns 1 if the job was lost, else 0
const requeueScript = luaScript<number>(
  'requeueIfLost',
  10,
  `if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
   for i = 3, 5 do
     for _, id in ipairs(redis.call('LRANGE', KEYS[i], 0, -1)) do
       if id == ARGV[1] then return 0 end
     end
   end
   for i = 7, 10 do
     if redis.call('ZSCORE', KEYS[i], ARGV[1]) then return 0 end
   end
   redis.call('LPUSH', KEYS[3], ARGV[1])
   redis.call('ZADD', KEYS[6], 0, '0')
   return 1`,
);
