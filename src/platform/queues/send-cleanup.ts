import { attemptKey, queueKey } from '../../contract/keys.js';
import { sendsQueue } from '../../contract/names.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';

/** The changes that an HTTP replica may make to sends. It changes only sends that no owner works on. */

/**
 * Prepares a new send under an id that was used before. Removes the job with this `timestamp`, and the record of its outcome,
 * which would settle the new send. Does nothing if the id has another job now, or if an owner carries the job out.
 */
export async function forgetSend(
  redis: Redis,
  session: string,
  id: string,
  timestamp: number | null,
): Promise<void> {
  const key = (name: string) => queueKey(sendsQueue(session), name);
  await forgetScript(
    redis,
    [key(id), key(`${id}:lock`), attemptKey(session, id), ...['completed', 'failed', 'wait'].map(key)],
    [id, timestamp ?? ''],
  );
}

// KEYS job lock record completed failed wait
// ARGV id timestamp
// returns 1, or 0 if the id has another job, or its job is locked
const forgetScript = luaScript<number>(
  'forgetSend',
  6,
  `if redis.call('EXISTS', KEYS[1]) == 1 then
     if redis.call('HGET', KEYS[1], 'timestamp') ~= ARGV[2] then return 0 end
     if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
     redis.call('ZREM', KEYS[4], ARGV[1])
     redis.call('ZREM', KEYS[5], ARGV[1])
     redis.call('LREM', KEYS[6], 0, ARGV[1])
     redis.call('DEL', KEYS[1])
   end
   redis.call('DEL', KEYS[3])
   return 1`,
);

/**
 * Removes the text of every unsettled send, after a logout that no owner carries out. Their epoch makes the sends void, and the
 * next owner settles them. Data that cannot be read is removed completely.
 */
export async function clearUnsentMessages(redis: Redis, session: string): Promise<void> {
  const key = (name: string) => queueKey(sendsQueue(session), name);
  for (const list of ['wait', 'active'].map(key)) {
    let next = 0;
    do next = await clearScript(redis, [list], [key(''), next, batch]);
    while (next !== 0);
  }
}

/** Jobs per script call: Redis serves no other client while it decodes their texts. */
const batch = 50;

// KEYS list of job ids
// ARGV prefix of job keys, start, count
// returns the start of the next call, or 0 at the end
const clearScript = luaScript<number>(
  'clearUnsentMessages',
  1,
  `local ids = redis.call('LRANGE', KEYS[1], ARGV[2], ARGV[2] + ARGV[3] - 1)
   for _, id in ipairs(ids) do
     local data = redis.pcall('HGET', ARGV[1] .. id, 'data')
     if type(data) == 'table' then
       if not string.find(data.err, 'WRONGTYPE', 1, true) then return data end
       redis.call('UNLINK', ARGV[1] .. id)
     elseif data then
       local isRead, job = pcall(cjson.decode, data)
       if not isRead or type(job) ~= 'table' then job = {} end
       job.message = cjson.null
       redis.call('HSET', ARGV[1] .. id, 'data', cjson.encode(job))
     end
   end
   if #ids < tonumber(ARGV[3]) then return 0 end
   return ARGV[2] + ARGV[3]`,
);
