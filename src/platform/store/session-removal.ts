import { queueKeys } from '../../contract/key-types.js';
import { attemptKey, queueKey, registerKey, registerNamesKey, sessionKeys } from '../../contract/keys.js';
import { readsQueue, sendsQueue } from '../../contract/names.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';

/** How long a caller who waits for a command can still read its outcome. */
const outcomesMs = 60_000;

/**
 * How long two things are remembered of a name, in case a session of the same name is made again: `wiped`, which voids old profiles
 * on machines that are off now, and `account`, which voids QR links.
 */
const voidingMs = 90 * 86_400_000;

/**
 * Removes a session that was logged out from the register, and deletes everything that is stored of it. False: nothing has changed,
 * because the session has a run, or a start waits.
 */
export async function removeSession(redis: Redis, session: string): Promise<boolean> {
  const own = ownKeys(session);
  const [sends, reads] = [sendsQueue(session), readsQueue(session)];
  const keys = [...own, ...queueKeys(sends), ...queueKeys(reads)];
  const prefixes = [queueKey(sends, ''), queueKey(reads, ''), attemptKey(session, '')];
  const args = [session, outcomesMs, voidingMs, own.length, queueKeys(sends).length, ...prefixes];
  return (await removeScript(redis, keys, args)) === 1;
}

/** Without the lock and the list of stalled jobs, which are BullMQ's. */
function ownKeys(session: string): string[] {
  const { wiped, account, job, heartbeat, lock: _, stalled: __, ...others } = sessionKeys(session);
  return [registerKey, registerNamesKey, job, heartbeat, wiped, account, ...Object.values(others)];
}

const keyCount = ownKeys('').length + 2 * queueKeys('').length;

// KEYS register names job heartbeat wiped account, the session's other keys, those of its sends and of its reads
// ARGV name, TTL of commands in ms, TTL of wiped and account in ms, number of the first keys, number of a queue's keys, prefixes of the
// jobs of sends and reads, prefix of the records of sends
// returns 1, or 0 if the session has a job or a live heartbeat
const removeScript = luaScript<number>(
  'removeSession',
  keyCount,
  `if redis.call('EXISTS', KEYS[3]) == 1 or redis.call('GET', KEYS[4]) == 'live' then return 0 end
   redis.call('HDEL', KEYS[1], ARGV[1])
   redis.call('ZREM', KEYS[2], ARGV[1])
   redis.call('PEXPIRE', KEYS[5], ARGV[3])
   redis.call('PEXPIRE', KEYS[6], ARGV[3])
   local first, ofQueue = tonumber(ARGV[4]), tonumber(ARGV[5])
   for queue = 0, 1 do
     local from = first + queue * ofQueue + 1
     for i = from, from + ofQueue - 1 do
       local type, ids = redis.call('TYPE', KEYS[i]).ok, {}
       if type == 'list' then ids = redis.call('LRANGE', KEYS[i], 0, -1)
       elseif type == 'zset' then ids = redis.call('ZRANGE', KEYS[i], 0, -1) end
       for _, id in ipairs(ids) do
         redis.call('PEXPIRE', ARGV[6 + queue] .. id, ARGV[2])
         redis.call('UNLINK', ARGV[6 + queue] .. id .. ':lock')
         if queue == 0 then redis.call('PEXPIRE', ARGV[8] .. id, ARGV[2]) end
       end
       redis.call('UNLINK', KEYS[i])
     end
   end
   for i = 7, first do redis.call('UNLINK', KEYS[i]) end
   redis.call('UNLINK', KEYS[4])
   return 1`,
);
