import type { BoundName, Bounds } from '../../contract/bounds.js';
import { commandRoomKey, queueKey } from '../../contract/keys.js';
import { readsQueue, sendsQueue } from '../../contract/names.js';
import type { Redis } from '../../platform/redis/connection.js';
import { luaScript } from '../../platform/redis/lua-script.js';

/**
 * Limits a session's queues of commands, in jobs and in bytes. The usage is counted from the jobs themselves, so it cannot drift.
 * Their number is counted at each call. Their bytes are counted once a second and before a refusal; in between, the bytes of new
 * jobs are added. A job that is about to be added holds a reservation. So concurrent callers, on any replica, cannot all get the
 * last place.
 */

const queues = {
  sends: { queue: sendsQueue, items: 'sendQueue', bytes: 'sendQueueBytes' },
  reads: { queue: readsQueue, items: 'readQueue', bytes: 'readQueueBytes' },
} as const satisfies Record<string, Record<'items' | 'bytes', BoundName> & { queue: typeof readsQueue }>;

export type CommandQueueName = keyof typeof queues;
export type QueueBound = (typeof queues)[CommandQueueName]['items' | 'bytes'];

/** The life of a reservation. It is longer than an add can take: a job that was not added by then is never added. */
const reservationMs = 10_000;

/**
 * `countMs`: the bytes are counted again after this time. `recountMs`: a queue with more than `few` jobs is not counted again before
 * a refusal within this time, because Redis takes a millisecond for a thousand jobs.
 */
const countMs = 1_000;
const recountMs = 20;
const few = 64;

/** Reserves a place for a job that is about to be added. Returns null, or the bound that was reached. */
export async function reserveCapacity(
  redis: Redis,
  {
    queue: name,
    session,
    id,
    bytes,
  }: { queue: CommandQueueName; session: string; id: string; bytes: number },
  limits: Bounds,
): Promise<QueueBound | null> {
  const names = queues[name];
  const queue = names.queue(session);
  const met = await reserveScript(
    redis,
    [queueKey(queue, 'wait'), queueKey(queue, 'active'), commandRoomKey(session, name)],
    [
      queueKey(queue, ''),
      id,
      bytes,
      limits[names.items],
      limits[names.bytes],
      reservationMs,
      countMs,
      recountMs,
      few,
    ],
  );
  return met === '' ? null : names[met];
}

/** Releases the reservation of a job that is in the queue and counted there. */
export async function releaseReservation(
  redis: Redis,
  name: CommandQueueName,
  session: string,
  id: string,
): Promise<void> {
  await redis.hdel(commandRoomKey(session, name), id);
}

// KEYS wait active reservations
// ARGV prefix of job keys, id, bytes, max items, max bytes, reservationMs, countMs, recountMs, few
// returns '', or the unit whose limit was reached; does nothing for a job that exists
// The field '=' of the reservations has the bytes of all jobs and the time at which they were counted.
const reserveScript = luaScript<'' | 'items' | 'bytes'>(
  'reserveCapacity',
  3,
  `if redis.call('EXISTS', ARGV[1] .. ARGV[2]) == 1 then return '' end
   local time = redis.call('TIME')
   local now = time[1] * 1000 + math.floor(time[2] / 1000)
   local bytes, at = string.match(redis.call('HGET', KEYS[3], '=') or '', '^(%d+):(%d+)$')
   bytes, at = tonumber(bytes), tonumber(at)
   local inQueue = redis.call('LLEN', KEYS[1]) + redis.call('LLEN', KEYS[2])
   local items = inQueue
   local function reserved()
     local number, size = 0, 0
     local coming = redis.call('HGETALL', KEYS[3])
     for i = 1, #coming, 2 do
       local ends, its = string.match(coming[i + 1], '^(%d+):(%d+)$')
       if coming[i] == '=' then
       elseif not ends or tonumber(ends) <= now or tonumber(ends) > now + ARGV[6] or redis.call('EXISTS', ARGV[1] .. coming[i]) == 1 then
         redis.call('HDEL', KEYS[3], coming[i])
       else
         number, size = number + 1, size + tonumber(its)
       end
     end
     return number, size
   end
   local function count()
     local number, size = reserved()
     items, bytes, at = inQueue + number, size, now
     for list = 1, 2 do
       for _, id in ipairs(redis.call('LRANGE', KEYS[list], 0, -1)) do
         local its = redis.pcall('HSTRLEN', ARGV[1] .. id, 'data')
         if type(its) == 'number' then bytes = bytes + its end
       end
     end
   end
   local function met()
     if items >= tonumber(ARGV[4]) then return 'items' end
     return bytes + tonumber(ARGV[3]) > tonumber(ARGV[5]) and 'bytes' or ''
   end
   if not bytes or now < at or now - at > tonumber(ARGV[7]) then count()
   else items = inQueue + math.max(0, redis.call('HLEN', KEYS[3]) - 1) end
   local unit = met()
   if unit == 'items' then
     items = inQueue + reserved()
     unit = met()
   end
   if unit == 'bytes' and (items <= tonumber(ARGV[9]) or now - at >= tonumber(ARGV[8])) then
     count()
     unit = met()
   end
   if unit == '' then
     redis.call('HSET', KEYS[3], ARGV[2], string.format('%.0f:%d', now + ARGV[6], ARGV[3]))
     bytes = bytes + ARGV[3]
   end
   redis.call('HSET', KEYS[3], '=', string.format('%.0f:%.0f', bytes, at))
   redis.call('PEXPIRE', KEYS[3], ARGV[6])
   return unit`,
);
