import { attemptKey, keyPrefix } from '../../contract/keys.js';
import { sendsQueue } from '../../contract/names.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';

/** What an HTTP replica may change in the records of sends: only those that no owner works on. */

/**
 * Prepares a new send under an id that was used before. Removes the job with this `timestamp`, and the record of its outcome,
 * which would settle the new send. Does nothing if another job has taken its place, or an owner carries it out.
 */
export async function forgetSend(
  redis: Redis,
  session: string,
  id: string,
  timestamp: number | null,
): Promise<void> {
  const queue = queueKey(session);
  const job = `${queue}:${id}`;
  await forgetScript(
    redis,
    [job, `${job}:lock`, attemptKey(session, id), `${queue}:completed`, `${queue}:failed`, `${queue}:wait`],
    [id, timestamp ?? ''],
  );
}

// KEYS job lock record completed failed wait | ARGV id timestamp | returns 1, or 0 when another job is there
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
 * Removes the text of every unsettled send, after a logout that no owner carries out. The sends are void by their epoch; the
 * next owner settles them. Data that cannot be read is removed as a whole.
 */
export async function clearUnsentMessages(redis: Redis, session: string): Promise<void> {
  const queue = queueKey(session);
  for (const list of [`${queue}:wait`, `${queue}:active`]) {
    let next = 0;
    do next = await clearScript(redis, [list], [`${queue}:`, next, batch]);
    while (next !== 0);
  }
}

/** Jobs per script call: Redis serves nobody else while it decodes their texts. */
const batch = 50;

// KEYS list of job ids | ARGV prefix of job keys, start, count | returns where to go on, 0 at the end
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

function queueKey(session: string): string {
  return `${keyPrefix}:${sendsQueue(session)}`;
}
