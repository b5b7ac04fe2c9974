import { type BoundName, type Bounds, bounds } from '../../contract/bounds.js';
import { commandRoomKey, keyPrefix } from '../../contract/keys.js';
import { readsQueue, sendsQueue } from '../../contract/names.js';
import type { Redis } from '../../platform/redis/connection.js';
import { luaScript } from '../../platform/redis/lua-script.js';

/**
 * Room in a queue of commands, in number and in bytes. Counted from the jobs that are there, so that nothing can drift: their
 * number each time, their bytes once a second and before anybody is refused; in between what comes is added. What is on its
 * way into the queue is kept beside it for a moment, so that callers who come at the same time, on any replica, do not all
 * get the last place.
 */

const kept = {
  sends: { queue: sendsQueue, items: 'sendQueue', bytes: 'sendQueueBytes' },
  reads: { queue: readsQueue, items: 'readQueue', bytes: 'readQueueBytes' },
} as const satisfies Record<string, Record<'items' | 'bytes', BoundName> & { queue: typeof readsQueue }>;

export type Lane = keyof typeof kept;
export type QueueBound = (typeof kept)[Lane]['items' | 'bytes'];

/** Longer than an add may take: what did not come by then never does. */
const onTheWayMs = 10_000;

/** A count of the bytes of a thousand jobs takes Redis a millisecond: not oftener where many are refused, unless few wait. */
const countMs = 1_000;
const recountMs = 20;
const few = 64;

/** null: there is room, and it is kept until the job is there; else the bound that does not let it in. */
export async function takeRoom(
  redis: Redis,
  { lane, session, id, bytes }: { lane: Lane; session: string; id: string; bytes: number },
  limits: Bounds = bounds,
): Promise<QueueBound | null> {
  const names = kept[lane];
  const queue = `${keyPrefix}:${names.queue(session)}`;
  const met = await roomScript(
    redis,
    [`${queue}:wait`, `${queue}:active`, commandRoomKey(session, lane)],
    [`${queue}:`, id, bytes, limits[names.items], limits[names.bytes], onTheWayMs, countMs, recountMs, few],
  );
  return met === '' ? null : names[met];
}

/** It is in the queue, and counted there. */
export async function giveRoomBack(redis: Redis, lane: Lane, session: string, id: string): Promise<void> {
  await redis.hdel(commandRoomKey(session, lane), id);
}

// KEYS wait active onTheWay | ARGV prefix of job keys, id, bytes, most items, most bytes, ms on the way, countMs recountMs few
// returns '' or the unit that does not let it in; a job that is there already changes nothing
// The field '=' of the last key has the bytes of all and the time of their count.
const roomScript = luaScript<'' | 'items' | 'bytes'>(
  'takeCommandRoom',
  3,
  `if redis.call('EXISTS', ARGV[1] .. ARGV[2]) == 1 then return '' end
   local time = redis.call('TIME')
   local now = time[1] * 1000 + math.floor(time[2] / 1000)
   local bytes, at = string.match(redis.call('HGET', KEYS[3], '=') or '', '^(%d+):(%d+)$')
   bytes, at = tonumber(bytes), tonumber(at)
   local inQueue = redis.call('LLEN', KEYS[1]) + redis.call('LLEN', KEYS[2])
   local items = inQueue
   local function onTheWay()
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
     local number, size = onTheWay()
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
     items = inQueue + onTheWay()
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
