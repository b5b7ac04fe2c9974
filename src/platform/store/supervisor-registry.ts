import { z } from 'zod';
import { parseAs } from '../../contract/json.js';
import {
  supervisorFactsKey,
  supervisorPlacesKey,
  supervisorRoomKey,
  supervisorsKey,
} from '../../contract/keys.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';

/** Which supervisors are alive: each registers again before its entry expires. */

/** An entry that expires later than this was not written by a supervisor, and does not count. */
export const registrationMaxMs = 3_600_000;

const factsSchema = z.object({
  host: z.string(),
  version: z.string(),
  /** Since when it runs. */
  since: z.iso.datetime(),
  /** Sessions that it runs. */
  sessions: z.int().nonnegative(),
  /** Sessions that it can run. */
  capacity: z.int().nonnegative(),
  /** Sessions that it can start at once, besides those that it is starting. */
  starts: z.int().nonnegative().optional(),
});

/** What a supervisor tells of itself. */
export type SupervisorFacts = z.infer<typeof factsSchema>;

/** `{wa}:supervisors` and what belongs to its entries. */
const keys = [supervisorsKey, supervisorRoomKey, supervisorFactsKey, supervisorPlacesKey];

export async function registerSupervisor(
  redis: Redis,
  supervisor: string,
  facts: SupervisorFacts,
  ttlMs: number,
): Promise<void> {
  const room = Math.max(0, facts.capacity - facts.sessions);
  await registerScript(redis, keys, [supervisor, room, JSON.stringify(facts), ttlMs]);
}

/** Lua: `now` in ms; `updatePlaces(ttlMs)`. Supervisors of an earlier version have no facts: of them only the room is known. */
const registryLua = `
   local time = redis.call('TIME')
   local now = time[1] * 1000 + math.floor(time[2] / 1000)
   local function updatePlaces(ttlMs)
     local room, capacity, starts = 0, 0, 0
     local living = redis.call('ZRANGEBYSCORE', KEYS[1], now, now + ${registrationMaxMs})
     for _, id in ipairs(living) do
       local left = tonumber(string.match(redis.call('HGET', KEYS[2], id) or '', '^%d%d?%d?%d?%d?%d?$')) or 0
       local isRead, facts = pcall(cjson.decode, redis.call('HGET', KEYS[3], id) or '')
       if not isRead or type(facts) ~= 'table' then facts = {} end
       room = room + left
       capacity = capacity + (tonumber(facts.capacity) or 0)
       starts = starts + math.min(left, tonumber(facts.starts) or left)
     end
     if #living == 0 or ttlMs <= 0 then redis.call('DEL', KEYS[4])
     else redis.call('SET', KEYS[4], string.format('%.0f %.0f %.0f', room, capacity, starts), 'PX', ttlMs) end
   end`;

// KEYS supervisors rooms facts places
// ARGV supervisor room facts ttlMs
// returns 1 if it is new, else 0
// A supervisor of an earlier version leaves the facts of the expired entries that it removes.
const registerScript = luaScript<number>(
  'registerSupervisor',
  4,
  `${registryLua}
   for _, expired in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
     redis.call('ZREM', KEYS[1], expired)
     redis.call('HDEL', KEYS[2], expired)
   end
   for _, id in ipairs(redis.call('HKEYS', KEYS[3])) do
     if not redis.call('ZSCORE', KEYS[1], id) then redis.call('HDEL', KEYS[3], id) end
   end
   redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
   redis.call('HSET', KEYS[3], ARGV[1], ARGV[3])
   local isNew = redis.call('ZADD', KEYS[1], now + ARGV[4], ARGV[1])
   -- They expire before the heartbeats of a supervisor that was alone: its places must not be told when it is gone.
   updatePlaces(math.floor(tonumber(ARGV[4]) * 2 / 3))
   return isNew`,
);

export async function unregisterSupervisor(redis: Redis, supervisor: string): Promise<void> {
  await unregisterScript(redis, keys, [supervisor]);
}

// KEYS supervisors rooms facts places
// ARGV supervisor
// returns 1 if it was registered, else 0
const unregisterScript = luaScript<number>(
  'unregisterSupervisor',
  4,
  `${registryLua}
   redis.call('HDEL', KEYS[2], ARGV[1])
   redis.call('HDEL', KEYS[3], ARGV[1])
   local wasThere = redis.call('ZREM', KEYS[1], ARGV[1])
   updatePlaces(redis.call('PTTL', KEYS[4]))
   return wasThere`,
);

export interface RegisteredSupervisor {
  readonly supervisor: string;
  /** How many more sessions it can take. */
  readonly room: number;
  /** null: it is of an earlier version, which does not tell them. */
  readonly facts: SupervisorFacts | null;
}

/** The supervisors that are alive now. */
export async function readSupervisors(redis: Redis): Promise<RegisteredSupervisor[]> {
  const entries = await readScript(redis, [supervisorsKey, supervisorRoomKey, supervisorFactsKey], []);
  return entries.map(([supervisor, room, facts]) => ({
    supervisor,
    room: parseRoom(room),
    facts: parseAs(factsSchema, facts),
  }));
}

/** 0 if it is unreadable. */
function parseRoom(text: string): number {
  return /^\d{1,6}$/.test(text) ? Number(text) : 0;
}

// KEYS supervisors rooms facts
// returns of each {supervisor, room, facts}, '' for missing facts
const readScript = luaScript<[string, string, string][]>(
  'readSupervisors',
  3,
  `local time = redis.call('TIME')
   local entries = {}
   local now = time[1] * 1000 + math.floor(time[2] / 1000)
   for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], now, now + ${registrationMaxMs})) do
     local facts = redis.call('HGET', KEYS[3], id) or ''
     entries[#entries + 1] = {id, redis.call('HGET', KEYS[2], id) or '0', facts}
   end
   return entries`,
);
