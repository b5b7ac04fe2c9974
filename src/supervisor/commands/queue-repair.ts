import { Job, type Queue } from 'bullmq';
import { queueKeys } from '../../contract/key-types.js';
import { isParseError, isWrongType } from '../../platform/data-errors.js';
import type { Logger } from '../../platform/logger.js';
import type { Redis } from '../../platform/redis/connection.js';
import { luaScript } from '../../platform/redis/lua-script.js';
import { quarantineCopy, quarantineWrongTypes } from '../../platform/redis/quarantine.js';

/** Repairs one queue of commands: jobs of an owner that is gone, jobs that cannot be read, keys of a wrong type. */

export interface CommandQueue {
  readonly queue: Queue;
  readonly redis: Redis;
  readonly log: Logger;
}

/** The lock of the run whose commands are in the queue. */
export interface RunLock {
  readonly key: string;
  readonly token: string;
}

/**
 * Moves the active jobs that are not held to the front of their queue, in their order: those that the previous owner left, and
 * those that were lost on the way here. Changes nothing if another run has the lock. Returns the ids of the moved jobs. Throws
 * the errors of Redis.
 */
export async function requeueActive(
  { queue, redis, log }: CommandQueue,
  { key, token }: RunLock,
  held: Iterable<string>,
): Promise<string[]> {
  const keys = [key, ...['active', 'wait', 'marker'].map((name) => queue.toKey(name))];
  const [moved, odd] = await requeueActiveScript(redis, keys, [token, queue.toKey(''), ...held]);
  for (const id of odd) {
    log.error({ jobId: id }, 'a command has no data that can be read; it is not carried out');
    await quarantineWrongTypes(redis, [queue.toKey(id)]);
    await redis.lrem(queue.toKey('active'), 0, id);
  }
  return moved;
}

// KEYS lock active wait marker
// ARGV token, prefix of the keys of jobs, ids that are held
// returns {ids that were moved, ids of jobs that are no hash}; {{}, {}} if the lock has another token
// BullMQ takes the job at the end of `wait`. Fails before the first write if a key has a wrong type.
const requeueActiveScript = luaScript<[moved: string[], odd: string[]]>(
  'requeueActive',
  4,
  `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {{}, {}} end
   redis.call('LLEN', KEYS[3])
   redis.call('ZCARD', KEYS[4])
   local held, moved, odd = {}, {}, {}
   for i = 3, #ARGV do held[ARGV[i]] = true end
   for _, id in ipairs(redis.call('LRANGE', KEYS[2], 0, -1)) do
     if not held[id] then
       if redis.call('TYPE', ARGV[2] .. id).ok == 'hash' then
         redis.call('RPUSH', KEYS[3], id)
         redis.call('LREM', KEYS[2], 0, id)
         moved[#moved + 1] = id
       else odd[#odd + 1] = id end
     end
   end
   if #moved > 0 then redis.call('ZADD', KEYS[4], 0, '0') end
   return {moved, odd}`,
);

/**
 * Repairs what made BullMQ throw `error` instead of handing out a job: fails jobs that cannot be read, and quarantines keys of
 * a wrong type. `isHeld`: the job was handed out before, and must not be touched. False: there was nothing to repair.
 */
export async function repairAfter(
  commands: CommandQueue,
  error: unknown,
  isHeld: (id: string) => boolean,
): Promise<boolean> {
  if (!isParseError(error)) return quarantineIfWrongType(commands, error);
  const { queue, redis } = commands;
  for (const id of await redis.lrange(queue.toKey('active'), 0, -1)) {
    if (isHeld(id)) continue;
    const job = await readJob(queue, id).catch(() => null);
    if (job === 'unreadable') await failUnreadable(commands, id);
  }
  return true;
}

/** Quarantines the keys of the queue that have a wrong type, if `error` says that there are any. False: there are none. */
export async function quarantineIfWrongType(
  { queue, redis }: CommandQueue,
  error: unknown,
): Promise<boolean> {
  if (!isWrongType(error)) return false;
  return (await quarantineWrongTypes(redis, queueKeys(queue.name)).catch(() => 0)) > 0;
}

async function readJob(queue: Queue, id: string): Promise<Job | 'unreadable' | undefined> {
  try {
    return await Job.fromId(queue, id);
  } catch (error) {
    if (isParseError(error)) return 'unreadable';
    throw error;
  }
}

/** Fails only this job. Copies its data to quarantine, and keeps it out of the error. */
async function failUnreadable({ queue, redis, log }: CommandQueue, id: string): Promise<void> {
  log.error({ jobId: id }, 'a command cannot be read; it is not carried out');
  const key = queue.toKey(id);
  await quarantineCopy(redis, key, (await redis.hget(key, 'data')) ?? '');
  const options = { attempts: 1, removeOnFail: { age: 86_400 } };
  const job = new Job(queue, 'unreadable', {}, options, id);
  await job.updateData({});
  await job.moveToFailed(new Error('the command cannot be read'), '0');
}
