import { supervisorRoomKey, supervisorsKey } from '../../contract/keys.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';

/** Which supervisors are alive: each signs the roll again before its entry lapses. */

/** `room`: how many more sessions it can take. */
export async function registerSupervisor(
  redis: Redis,
  supervisor: string,
  room: number,
  ttlMs: number,
): Promise<void> {
  await signScript(redis, [supervisorsKey, supervisorRoomKey], [supervisor, room, ttlMs]);
}

// KEYS supervisors rooms | ARGV supervisor room ttlMs
const signScript = luaScript<number>(
  'registerSupervisor',
  2,
  `local time = redis.call('TIME')
   local now = time[1] * 1000 + math.floor(time[2] / 1000)
   for _, lapsed in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
     redis.call('ZREM', KEYS[1], lapsed)
     redis.call('HDEL', KEYS[2], lapsed)
   end
   redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
   return redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])`,
);

export async function unregisterSupervisor(redis: Redis, supervisor: string): Promise<void> {
  await leaveScript(redis, [supervisorsKey, supervisorRoomKey], [supervisor]);
}

// KEYS supervisors rooms | ARGV supervisor
const leaveScript = luaScript<number>(
  'unregisterSupervisor',
  2,
  `redis.call('HDEL', KEYS[2], ARGV[1])
   return redis.call('ZREM', KEYS[1], ARGV[1])`,
);

export interface RegisteredSupervisor {
  readonly supervisor: string;
  readonly room: number;
}

/** Every supervisor that is alive now. */
export async function readSupervisors(redis: Redis): Promise<RegisteredSupervisor[]> {
  const words = await readScript(redis, [supervisorsKey, supervisorRoomKey], []);
  return Array.from({ length: words.length / 2 }, (_, i) => ({
    supervisor: words[2 * i] ?? '',
    room: countIn(words[2 * i + 1]),
  }));
}

/** 0 where nobody can read it. */
function countIn(text = ''): number {
  return /^\d{1,6}$/.test(text) ? Number(text) : 0;
}

// KEYS supervisors rooms | returns id room id room …, of those entries that have not lapsed, and do within an hour
const readScript = luaScript<string[]>(
  'readSupervisors',
  2,
  `local time = redis.call('TIME')
   local words = {}
   local now = time[1] * 1000 + math.floor(time[2] / 1000)
   for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], now, now + 3600000)) do
     words[#words + 1] = id
     words[#words + 1] = redis.call('HGET', KEYS[2], id) or '0'
   end
   return words`,
);
