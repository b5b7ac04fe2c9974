import { startJobSchema } from '../../contract/intent.js';
import { parseAs, parseJson } from '../../contract/json.js';
import { queueKeys } from '../../contract/key-types.js';
import { queueKey, sessionKeys } from '../../contract/keys.js';
import { isRunJobId, runJobId, sessionOfJobId, sessionsQueue } from '../../contract/names.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import { defectReasons, logQuarantined, quarantine, quarantineWrongTypes } from '../redis/quarantine.js';
import { quarantineArgs, quarantineIndexOf, quarantineLua } from '../redis/quarantine-lua.js';
import { logOf } from '../redis/store-connection.js';
import { requeueIfLost } from './job-queue.js';
import { noteStart, startJobOptions } from './start-queue.js';

/**
 * Repairs data in the queue of starts that would block a supervisor or a session: keys of a wrong type, unreadable jobs, ids
 * that belong to no job, locks without a TTL. Replaces an unreadable start by a new one: a start says nothing but that its
 * session must run. Requeues the starts of `sessions` that are in no list.
 */
export async function repairStartQueue(redis: Redis, sessions: readonly string[]): Promise<void> {
  await quarantineWrongTypes(redis, queueKeys(sessionsQueue));
  const [isCheckStuck, ...starts] = await listStartsScript(
    redis,
    [...lists, stalledCheck],
    [queueKey(sessionsQueue, '')],
  );
  // While this key exists, BullMQ does not search for jobs of dead owners.
  if (isCheckStuck === 1) await quarantine(redis, stalledCheck, { type: 'no expiry' });
  for (const [id, type, data, options, hasEndlessLock] of starts) {
    if (!isRunJobId(id)) {
      await dropStartScript(redis, lists, [id]);
      logOf(redis)?.error(
        { key: queueKey(sessionsQueue, 'wait') },
        'the queue of starts had an id that belongs to no start; removed it',
      );
      continue;
    }
    const session = sessionOfJobId(id);
    if (hasEndlessLock === 1) await quarantine(redis, sessionKeys(session).lock, { type: 'no expiry' });
    if (type !== 'hash' || parseAs(startJobSchema, data) === null || !isObject(options)) {
      await replaceStart(redis, session, { type, data, options });
    }
  }
  const listed = new Set(starts.map(([id]) => id));
  for (const id of sessions.map(runJobId)) {
    if (listed.has(id)) continue;
    await quarantine(redis, sessionKeys(sessionOfJobId(id)).lock, { type: 'no expiry' });
    const wasLost = await requeueIfLost(redis, sessionsQueue, id);
    // The start may also be unreadable.
    if (wasLost) await repairStartQueue(redis, []);
  }
}

const stalledCheck = queueKey(sessionsQueue, 'stalled-check');
const lists = ['wait', 'active', 'paused', 'delayed', 'prioritized'].map((name) =>
  queueKey(sessionsQueue, name),
);

function isObject(json: string): boolean {
  const value = parseJson(json);
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// KEYS wait active paused delayed prioritized stalledCheck
// ARGV prefix of the jobs' keys
// returns 1 if `stalledCheck` has no TTL, else 0; then of each start {id, type of its key, data, opts, 1 if its lock has no TTL}
// Reads at most 1,000 of each: those that come next. The others are read when it is their turn.
const listStartsScript = luaScript<[0 | 1, ...[string, string, string, string, 0 | 1][]]>(
  'listStarts',
  lists.length + 1,
  `local function hasNoTtl(key) return redis.call('PTTL', key) == -1 and 1 or 0 end
   local starts = {hasNoTtl(KEYS[#KEYS])}
   for i = 1, #KEYS - 1 do
     local isSet = redis.call('TYPE', KEYS[i]).ok == 'zset'
     -- A list is taken from at its end.
     local ids = isSet and redis.call('ZRANGE', KEYS[i], 0, 999) or redis.call('LRANGE', KEYS[i], -1000, -1)
     for _, id in ipairs(ids) do
       local key = ARGV[1] .. id
       local type = redis.call('TYPE', key).ok
       local fields = type == 'hash' and redis.call('HMGET', key, 'data', 'opts') or {}
       starts[#starts + 1] = {id, type, fields[1] or '', fields[2] or '', hasNoTtl(key .. ':lock')}
     end
   end
   return starts`,
);

// KEYS wait active paused delayed prioritized
// ARGV id
// returns 1
const dropStartScript = luaScript<number>(
  'dropStart',
  lists.length,
  `for i = 1, #KEYS do
     local type = redis.call('TYPE', KEYS[i]).ok
     if type == 'list' then redis.call('LREM', KEYS[i], 0, ARGV[1])
     elseif type == 'zset' then redis.call('ZREM', KEYS[i], ARGV[1]) end
   end
   return 1`,
);

/** A start as it was when it was found unreadable. */
interface UnreadableStart {
  readonly type: string;
  readonly data: string;
  readonly options: string;
}

/** Quarantines the job and writes a new one under the same id, which keeps its place in the queue. */
async function replaceStart(redis: Redis, session: string, found: UnreadableStart): Promise<void> {
  const { job } = sessionKeys(session);
  const { name, data, options } = startJobOptions(session);
  const fields = { name, data: JSON.stringify(data), opts: JSON.stringify(options), delay: 0, priority: 0 };
  const args = [defectReasons.unreadable, ...quarantineArgs, found.type, found.data, found.options];
  const wasThere = await replaceStartScript(
    redis,
    [job, quarantineIndexOf(job)],
    [...args, ...Object.entries(fields).flat()],
  );
  await noteStart(redis, session);
  if (wasThere === 1) logQuarantined(redis, job, defectReasons.unreadable);
}

// KEYS job, quarantine index
// ARGV why, quarantineArgs, type data opts as they were found, then fields and values of the new job
// returns 1 if there was a job; 0 if there was none, or it has changed since
// Several supervisors repair at once: only the first one finds the job as it was.
const replaceStartScript = luaScript<number>(
  'replaceStart',
  2,
  `${quarantineLua(2, 2)}
   local type = redis.call('TYPE', KEYS[1]).ok
   if type ~= ARGV[4] then return 0 end
   if type == 'hash' then
     local fields = redis.call('HMGET', KEYS[1], 'data', 'opts')
     if (fields[1] or '') ~= ARGV[5] or (fields[2] or '') ~= ARGV[6] then return 0 end
   end
   if type ~= 'none' then quarantine(KEYS[1], ARGV[1]) end
   for i = 7, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
   local time = redis.call('TIME')
   redis.call('HSET', KEYS[1], 'timestamp', string.format('%.0f', time[1] * 1000))
   return type == 'none' and 0 or 1`,
);
