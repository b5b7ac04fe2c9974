import { supervisorRoomKey, supervisorsKey } from '../../contract/keys.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';

/** Which supervisors are alive: each registers again before its entry expires. */

/** An entry that expires later than this was not written by a supervisor, and does not count. */
export const registrationMaxMs = 3_600_000;

/** `room`: how many more sessions the supervisor can take. */
export async function registerSupervisor(
  redis: Redis,
  supervisor: string,
  room: number,
  ttlMs: number,
): Promise<void> {
  await registerScript(redis, [supervisorsKey, supervisorRoomKey], [supervisor, room, ttlMs]);
}

// KEYS supervisors rooms
// ARGV supervisor room ttlMs
// returns 1 if it is new, else 0
const registerScript = luaScript<number>(
  'registerSupervisor',
  2,
  `local time = redis.call('TIME')
   local now = time[1] * 1000 + math.floor(time[2] / 1000)
   for _, expired in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
     redis.call('ZREM', KEYS[1], expired)
     redis.call('HDEL', KEYS[2], expired)
   end
   redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
   return redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])`,
);

export async function unregisterSupervisor(redis: Redis, supervisor: string): Promise<void> {
  await unregisterScript(redis, [supervisorsKey, supervisorRoomKey], [supervisor]);
}

// KEYS supervisors rooms
// ARGV supervisor
// returns 1 if it was registered, else 0
const unregisterScript = luaScript<number>(
  'unregisterSupervisor',
  2,
  `redis.call('HDEL', KEYS[2], ARGV[1])
   return redis.call('ZREM', KEYS[1], ARGV[1])`,
);

export interface RegisteredSupervisor {
  readonly supervisor: string;
  readonly room: number;
}

/** The supervisors that are alive now. */
export async function readSupervisors(redis: Redis): Promise<RegisteredSupervisor[]> {
  const entries = await readScript(redis, [supervisorsKey, supervisorRoomKey], []);
  return Array.from({ length: entries.length / 2 }, (_, i) => ({
    supervisor: entries[2 * i] ?? '',
    room: parseRoom(entries[2 * i + 1]),
  }));
}

/** 0 if it is unreadable. */
function parseRoom(text = ''): number {
  return /^\d{1,6}$/.test(text) ? Number(text) : 0;
}

// KEYS supervisors rooms
// returns supervisor room supervisor room …
const readScript = luaScript<string[]>(
  'readSupervisors',
  2,
  `local time = redis.call('TIME')
   local entries = {}
   local now = time[1] * 1000 + math.floor(time[2] / 1000)
   for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], now, now + ${registrationMaxMs})) do
     entries[#entries + 1] = id
     entries[#entries + 1] = redis.call('HGET', KEYS[2], id) or '0'
   end
   return entries`,
);
