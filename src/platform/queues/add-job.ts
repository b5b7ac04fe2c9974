import type { JobsOptions, Queue } from 'bullmq';
import { queueKeys } from '../../contract/key-types.js';
import { keyPrefix } from '../../contract/keys.js';
import { isNotInteger, isWrongType } from '../data-errors.js';
import { logOf, type Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import { setAsideOddTypes, setAsideText } from '../redis/set-aside.js';

/**
 * Adds a job; under an id that is there already it changes nothing. Where a key of the queue is of another type BullMQ does
 * half of it: then that key is set aside, and the rest is done.
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
    const isMended = isWrongType(error)
      ? (await setAsideOddTypes(redis, queueKeys(queue.name))) > 0
      : // BullMQ counts the jobs of a queue there.
        isNotInteger(error) && (await setAsideText(redis, queue.toKey('id')));
    if (!isMended) throw error;
    await add();
    await requeueIfLost(redis, queue.name, options.jobId);
  }
}

/**
 * Puts a job into its queue that is in no list and in no hands: nobody would ever take it, and adding it again changes nothing.
 * False: it is not lost.
 */
export async function requeueIfLost(
  redis: Redis,
  queue: string,
  jobId: string,
  where: 'back' | 'front' = 'back',
): Promise<boolean> {
  const key = (name: string) => `${keyPrefix}:${queue}:${name}`;
  const keys = [key(jobId), key(`${jobId}:lock`), ...['wait', 'active', 'paused'].map(key)];
  const sorted = ['marker', 'delayed', 'prioritized', 'completed', 'failed'].map(key);
  const words = [jobId, where === 'back' ? 'LPUSH' : 'RPUSH'];
  if ((await requeueScript(redis, [...keys, ...sorted], words)) === 0) return false;
  logOf(redis)?.error({ jobId }, 'a job stood in no list; it is in the queue again');
  return true;
}

// KEYS job lock wait active paused marker, sorted sets of ids | ARGV id, LPUSH or RPUSH | returns 1 where it was lost
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
   redis.call(ARGV[2], KEYS[3], ARGV[1])
   redis.call('ZADD', KEYS[6], 0, '0')
   return 1`,
);
