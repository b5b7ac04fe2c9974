import { bounds } from '../../contract/bounds.js';
import { answerKey, answersKey, readJobKey } from '../../contract/keys.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import { settingAside } from '../redis/set-aside.js';

/**
 * Answers to reads, each under a key of its own, beside its job: BullMQ would keep them until it settles another job, and once
 * more in its stream of notices. They go when they are fetched, else when their time is over.
 */

/** Longer than it takes to fetch one. */
const answerTtlMs = 60_000;

/** `unwanted`: nobody waits for it any more; `full`: too much waits to be fetched already. */
export async function storeAnswer(
  redis: Redis,
  session: string,
  jobId: string,
  json: string,
): Promise<'stored' | 'unwanted' | 'full'> {
  const keys = [readJobKey(session, jobId), answerKey(session, jobId), answersKey(session)];
  return storeScript(redis, keys, [jobId, json, answerTtlMs, bounds.readAnswers, answerKey(session, '')]);
}

// KEYS job answer answers | ARGV id json ttlMs most bytes, prefix of the keys of answers | returns what happened
const storeScript = luaScript<'stored' | 'unwanted' | 'full'>(
  'storeAnswer',
  3,
  `if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('HEXISTS', KEYS[1], 'unwanted') == 1 then return 'unwanted' end
   local bytes, waiting = #ARGV[2], redis.call('HGETALL', KEYS[3])
   for i = 1, #waiting, 2 do
     if redis.call('EXISTS', ARGV[5] .. waiting[i]) == 1 then bytes = bytes + (tonumber(waiting[i + 1]) or 0)
     else redis.call('HDEL', KEYS[3], waiting[i]) end
   end
   if bytes > tonumber(ARGV[4]) then return 'full' end
   redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
   redis.call('HSET', KEYS[3], ARGV[1], #ARGV[2])
   redis.call('PEXPIRE', KEYS[3], ARGV[3])
   return 'stored'`,
);

/** null: it is gone. */
export function fetchAnswer(redis: Redis, session: string, jobId: string): Promise<string | null> {
  const key = answerKey(session, jobId);
  return settingAside(redis, [key], () => redis.get(key));
}

/** Nobody waits for it any more; whoever is at it does not store it. */
export async function discardAnswer(redis: Redis, session: string, jobId: string): Promise<void> {
  const keys = [readJobKey(session, jobId), answerKey(session, jobId), answersKey(session)];
  await discardScript(redis, keys, [jobId]);
}

// KEYS job answer answers | ARGV id
const discardScript = luaScript<number>(
  'discardAnswer',
  3,
  `if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'unwanted', '1') end
   redis.call('HDEL', KEYS[3], ARGV[1])
   return redis.call('UNLINK', KEYS[2])`,
);
