import { queueKeys } from '../../contract/key-types.js';
import { attemptKey, queueKey, registerKey, registerNamesKey, sessionKeys } from '../../contract/keys.js';
import { readsQueue, sendsQueue } from '../../contract/names.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';

/** How long a caller who waits for a command can still read its outcome. */
const outcomesMs = 5_000;

/**
 * How long two things are remembered of a name, in case a session of the same name is made again: `wiped`, which voids old profiles
 * on machines that are off now, and `account`, which voids QR links.
 */
const voidingMs = 90 * 86_400_000;

/**
 * Removes a session that was logged out from the register, and deletes everything that is stored of it. `createdAt`: of the session that
 * is meant. `other`: there is none by now, or another one of that name. `runs`: nothing has changed, because the session has a run, or a
 * start waits.
 */
export async function removeSession(
  redis: Redis,
  session: string,
  createdAt: string | null,
): Promise<'removed' | 'runs' | 'other'> {
  const own = ownKeys(session);
  const [sends, reads] = [sendsQueue(session), readsQueue(session)];
  const keys = [...own, ...queueKeys(sends), ...queueKeys(reads)];
  const prefixes = [queueKey(sends, ''), queueKey(reads, ''), attemptKey(session, '')];
  const args = [
    createdAt ?? '',
    session,
    outcomesMs,
    voidingMs,
    own.length,
    queueKeys(sends).length,
    ...prefixes,
  ];
  return removeScript(redis, keys, args);
}

/** Without the lock and the list of stalled jobs, which are BullMQ's. */
function ownKeys(session: string): string[] {
  const { wiped, account, job, heartbeat, lock: _, stalled: __, ...others } = sessionKeys(session);
  return [registerKey, registerNamesKey, job, heartbeat, wiped, account, ...Object.values(others)];
}

const keyCount = ownKeys('').length + 2 * queueKeys('').length;

// KEYS register names job heartbeat wiped account, the session's other keys, those of its sends and of its reads
// ARGV time of its making ('' for any), name, TTL of commands in ms, TTL of wiped and account in ms, number of the first keys, number of
// a queue's keys, prefixes of the jobs of sends and reads, prefix of the records of sends
// returns removed; runs if the session has a job or a live heartbeat; other if it is not the one of that time
const removeScript = luaScript<'removed' | 'runs' | 'other'>(
  'removeSession',
  keyCount,
  `local stored = redis.call('HGET', KEYS[1], ARGV[2])
   if not stored then return 'other' end
   local isRead, record = pcall(cjson.decode, stored)
   local madeAt = isRead and type(record) == 'table' and type(record.created_at) == 'string' and record.created_at or ''
   if ARGV[1] ~= '' and isRead and madeAt ~= ARGV[1] then return 'other' end
   if redis.call('EXISTS', KEYS[3]) == 1 or redis.call('GET', KEYS[4]) == 'live' then return 'runs' end
   redis.call('HDEL', KEYS[1], ARGV[2])
   redis.call('ZREM', KEYS[2], ARGV[2])
   redis.call('PEXPIRE', KEYS[5], ARGV[4])
   redis.call('PEXPIRE', KEYS[6], ARGV[4])
   local first, ofQueue = tonumber(ARGV[5]), tonumber(ARGV[6])
   for queue = 0, 1 do
     local from = first + queue * ofQueue + 1
     for i = from, from + ofQueue - 1 do
       local type, ids = redis.call('TYPE', KEYS[i]).ok, {}
       if type == 'list' then ids = redis.call('LRANGE', KEYS[i], 0, -1)
       elseif type == 'zset' then ids = redis.call('ZRANGE', KEYS[i], 0, -1) end
       for _, id in ipairs(ids) do
         redis.call('PEXPIRE', ARGV[7 + queue] .. id, ARGV[3])
         redis.call('UNLINK', ARGV[7 + queue] .. id .. ':lock')
         if queue == 0 then redis.call('PEXPIRE', ARGV[9] .. id, ARGV[3]) end
       end
       redis.call('UNLINK', KEYS[i])
     end
   end
   for i = 7, first do redis.call('UNLINK', KEYS[i]) end
   redis.call('UNLINK', KEYS[4])
   return 'removed'`,
);
