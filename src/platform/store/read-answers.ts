import { bounds } from '../../contract/bounds.js';
import { answerKey, answersKey, readJobKey } from '../../contract/keys.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import { withQuarantine } from '../redis/quarantine.js';

/**
 * Answers to reads, each under its own key. An answer expires by itself, or is discarded once it was fetched. If it were the
 * result of its job, BullMQ would keep it until another job settles, and would copy it to its stream of events.
 */

/** Longer than a replica takes to fetch an answer. */
const answerTtlMs = 60_000;

/** `unwanted`: not stored, no caller waits for it any more. `full`: not stored, too many bytes wait to be fetched. */
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

/** Call it when no caller waits for a read any more: deletes its answer, or keeps it from being stored. */
export async function discardAnswer(redis: Redis, session: string, jobId: string): Promise<void> {
  const keys = [readJobKey(session, jobId), answerKey(session, jobId), answersKey(session)];
  await discardScript(redis, keys, [jobId]);
}

// KEYS job answer answers
// ARGV id
// returns 1 if there was an answer, else 0
const discardScript = luaScript<number>(
  'discardAnswer',
  3,
  `if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'unwanted', '1') end
   redis.call('HDEL', KEYS[3], ARGV[1])
   return redis.call('UNLINK', KEYS[2])`,
);
