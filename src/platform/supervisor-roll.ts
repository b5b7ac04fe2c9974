import { supervisorsKey } from '../contract/keys.js';
import { luaScript } from './lua-script.js';
import type { Redis } from './redis.js';

/** Which supervisors are alive: each signs the roll again before its entry lapses. */

export async function signRoll(redis: Redis, supervisor: string, ttlMs: number): Promise<void> {
  await signScript(redis, [supervisorsKey], [supervisor, ttlMs]);
}

// KEYS supervisors | ARGV supervisor ttlMs
const signScript = luaScript<number>(
  'signRoll',
  1,
  `local time = redis.call('TIME')
   local now = time[1] * 1000 + math.floor(time[2] / 1000)
   redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
   return redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])`,
);

export async function leaveRoll(redis: Redis, supervisor: string): Promise<void> {
  await redis.zrem(supervisorsKey, supervisor);
}

/** How many supervisors are alive now, in any state of load. */
export function countSupervisors(redis: Redis): Promise<number> {
  return countScript(redis, [supervisorsKey], []);
}

// KEYS supervisors | returns the number of entries that have not lapsed
const countScript = luaScript<number>(
  'countSupervisors',
  1,
  `local time = redis.call('TIME')
   return redis.call('ZCOUNT', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000), '+inf')`,
);
