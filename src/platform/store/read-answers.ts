import { bounds } from '../../contract/bounds.js';
import { answerKey, answersKey, readJobKey } from '../../contract/keys.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import { withQuarantine } from '../redis/quarantine.js';

/**
 * Answers to reads, each under a key of its own. As the result of its job BullMQ would keep an answer until it settles another
 * job, and a second time in its stream of events. An answer expires by itself, or is discarded once it was fetched.
 */

/** Longer than a replica takes to fetch an answer. */
const answerTtlMs = 60_000;

/** Nothing is stored where the result is: `unwanted`, nobody waits for it any more; `full`, too many bytes wait to be fetched. */
export async function storeAnswer(
  redis: Redis,
  session: string,
  jobId: string,
  json: string,
): Promise<'stored' | 'unwanted' | 'full'> {
  const keys = [readJobKey(session, jobId), answerKey(session, jobId), answersKey(session)];
  return storeScript(redis, keys, [jobId, json, answerTtlMs, bounds.readAnswers, answerKey(session, '')]);
}

// KEYS job answer answers
// ARGV id json ttlMs, max bytes, prefix of the answers' keys
// returns the result
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

/** null: there is none, or it has expired. */
export function fetchAnswer(redis: Redis, session: string, jobId: string): Promise<string | null> {
  const key = answerKey(session, jobId);
  return withQuarantine(redis, [key], () => redis.get(key));
}

/** For a read that nobody waits for any more: deletes its answer, or keeps it from being stored. */
export async function discardAnswer(redis: Redis, session: string, jobId: string): Promise<void> {
  const keys = [readJobKey(session, jobId), answerKey(session, jobId), answersKey(session)];
  await discardScript(redis, keys, [jobId]);
}

// KEYS job answer answers
// ARGV id
// returns 1 where there was an answer, else 0
const discardScript = luaScript<number>(
  'discardAnswer',
  3,
  `if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'unwanted', '1') end
   redis.call('HDEL', KEYS[3], ARGV[1])
   return redis.call('UNLINK', KEYS[2])`,
);
