import { commandLists, sessionKeys } from '../../contract/keys.js';
import type { Redis } from '../../platform/redis/connection.js';
import { luaScript } from '../../platform/redis/lua-script.js';

/**
 * Whether the session is quiet: no command waits or is under way, and no event other than a change of state came for
 * `quietMs`. Throws the errors of Redis.
 */
export async function isQuiet(redis: Redis, session: string, quietMs: number): Promise<boolean> {
  const keys = [sessionKeys(session).events, ...commandLists(session)];
  const [commands, sinceMs] = await quietScript(redis, keys, []);
  return commands === 0 && (sinceMs < 0 || sinceMs >= quietMs);
}

// KEYS events, commandLists
// returns {commands, ms since the newest event that is not a change of state, or -1}
// Reads only the newest 50 events: if all are changes of state, the session is quiet.
const quietScript = luaScript<[number, number]>(
  'isQuiet',
  5,
  `local commands = 0
   for i = 2, 5 do commands = commands + redis.call('LLEN', KEYS[i]) end
   local time = redis.call('TIME')
   local now = time[1] * 1000 + math.floor(time[2] / 1000)
   for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 50)) do
     local type = entry[2][2]
     if type ~= 'state' and type ~= 'qr' and type ~= 'account' then
       return {commands, now - tonumber(string.match(entry[1], '^%d+'))}
     end
   end
   return {commands, -1}`,
);
