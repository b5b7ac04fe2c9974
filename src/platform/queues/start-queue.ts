import type { Queue } from 'bullmq';
import { startJobSchema } from '../../contract/intent.js';
import { queueKeys } from '../../contract/key-types.js';
import { keyPrefix, sessionKeys } from '../../contract/keys.js';
import { isRunJobId, runJobId, sessionOfJobId, sessionsQueue } from '../../contract/names.js';
import { parseJson } from '../data-errors.js';
import { logOf, type Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import {
  asideIndexOf,
  reasons,
  setAside,
  setAsideLua,
  setAsideOddTypes,
  setAsideWords,
  tellAside,
} from '../redis/set-aside.js';
import { addJob, requeueIfLost } from './add-job.js';
import { startJobOptions } from './start-job.js';

/**
 * Mends the queue of starts, where nothing may keep a supervisor or a session from its work: keys of another type, jobs that
 * nobody can read, ids of nothing, locks without an end. A start that cannot be read is made anew where it is; what it said was
 * only that its session shall run. `sessions`: whose starts may be looked for outside of the lists, too.
 */
export async function mendStarts(redis: Redis, sessions: readonly string[]): Promise<void> {
  await setAsideOddTypes(redis, queueKeys(sessionsQueue));
  const [isStuck, ...starts] = await listScript(redis, [...lists, stalledCheck], [queueKey('')]);
  // BullMQ would never again look for those whose owner died.
  if (isStuck === 1) await setAside(redis, stalledCheck, { type: 'endless' });
  for (const [id, type, data, options, isLockedForEver] of starts) {
    if (!isRunJobId(id)) {
      await dropScript(redis, lists, [id]);
      logOf(redis)?.error(
        { key: queueKey('wait') },
        'the queue of starts had an id that is none; it is taken out',
      );
      continue;
    }
    const session = sessionOfJobId(id);
    if (isLockedForEver === 1) await setAside(redis, sessionKeys(session).lock, { type: 'endless' });
    if (type !== 'hash' || !isStart(data) || !isObject(options)) {
      await renewStart(redis, session, { type, data, options });
    }
  }
  const listed = new Set(starts.map(([id]) => id));
  for (const id of sessions.map(runJobId)) {
    if (listed.has(id)) continue;
    await setAside(redis, sessionKeys(sessionOfJobId(id)).lock, { type: 'endless' });
    const isBack = await requeueIfLost(redis, sessionsQueue, id);
    // It may be one that nobody can read.
    if (isBack) await mendStarts(redis, []);
  }
}

function queueKey(name: string): string {
  return `${keyPrefix}:${sessionsQueue}:${name}`;
}

const stalledCheck = queueKey('stalled-check');
const lists = ['wait', 'active', 'paused', 'delayed', 'prioritized'].map(queueKey);

function isStart(json: string): boolean {
  return startJobSchema.safeParse(parseJson(json)).success;
}

function isObject(json: string): boolean {
  const value = parseJson(json);
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// More than there are sessions: what is beyond is looked at once these are mended.
// KEYS lists and sorted sets of ids, stalledCheck | ARGV prefix of the keys of jobs
// returns 1 where `stalledCheck` never lapses, then {id, type of its key, data, opts, 1 where its lock never lapses} of each
const listScript = luaScript<[0 | 1, ...[string, string, string, string, 0 | 1][]]>(
  'listStarts',
  lists.length + 1,
  `local function isEndless(key) return redis.call('PTTL', key) == -1 and 1 or 0 end
   local starts = {isEndless(KEYS[#KEYS])}
   for i = 1, #KEYS - 1 do
     local read = redis.call('TYPE', KEYS[i]).ok == 'zset' and 'ZRANGE' or 'LRANGE'
     for _, id in ipairs(redis.call(read, KEYS[i], 0, 999)) do
       local key = ARGV[1] .. id
       local type = redis.call('TYPE', key).ok
       local fields = type == 'hash' and redis.call('HMGET', key, 'data', 'opts') or {}
       starts[#starts + 1] = {id, type, fields[1] or '', fields[2] or '', isEndless(key .. ':lock')}
     end
   end
   return starts`,
);

const dropLua = `local function drop(key, id)
     local type = redis.call('TYPE', key).ok
     if type == 'list' then redis.call('LREM', key, 0, id) elseif type == 'zset' then redis.call('ZREM', key, id) end
   end`;

// KEYS lists and sorted sets of ids | ARGV id | returns 1
const dropScript = luaScript<number>(
  'dropStart',
  lists.length,
  `${dropLua}
   for i = 1, #KEYS do drop(KEYS[i], ARGV[1]) end
   return 1`,
);

/** What a look at the queue has found of a start. */
interface SeenStart {
  readonly type: string;
  readonly data: string;
  readonly options: string;
}

async function renewStart(redis: Redis, session: string, seen: SeenStart): Promise<void> {
  const { job } = sessionKeys(session);
  const { name, data, options } = startJobOptions(session);
  const fields = { name, data: JSON.stringify(data), opts: JSON.stringify(options), delay: 0, priority: 0 };
  const words = [reasons.text, ...setAsideWords, seen.type, seen.data, seen.options];
  const had = await renewScript(
    redis,
    [job, asideIndexOf(job)],
    [...words, ...Object.entries(fields).flat()],
  );
  if (had === 1) tellAside(redis, job, reasons.text);
}

// Several look at once, and one of them is first.
// KEYS job index | ARGV why, most, ms, what was seen: type data opts, then fields and values of a job
// returns 1 where there was something, 0 where it is not as seen any more or there was nothing
const renewScript = luaScript<number>(
  'renewStart',
  2,
  `${setAsideLua(2, 2)}
   local type = redis.call('TYPE', KEYS[1]).ok
   if type ~= ARGV[4] then return 0 end
   if type == 'hash' then
     local fields = redis.call('HMGET', KEYS[1], 'data', 'opts')
     if (fields[1] or '') ~= ARGV[5] or (fields[2] or '') ~= ARGV[6] then return 0 end
   end
   if type ~= 'none' then setAside(KEYS[1], ARGV[1]) end
   for i = 7, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
   local time = redis.call('TIME')
   redis.call('HSET', KEYS[1], 'timestamp', string.format('%.0f', time[1] * 1000))
   return type == 'none' and 0 or 1`,
);

/** Adds the start of a session; one that is there already stays as it is. */
export function addStart(redis: Redis, queue: Queue, session: string): Promise<void> {
  const { name, data, options } = startJobOptions(session);
  return addJob(redis, queue, name, data, options);
}
