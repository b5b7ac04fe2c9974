import { bounds } from '../../contract/bounds.js';
import { sessionOfKey } from '../../contract/key-types.js';
import { keyPrefix, quarantineIndexKey, sessionKeys } from '../../contract/keys.js';

/** The part of a script that moves a key to quarantine. See quarantine.ts. */

const quarantineMs = 7 * 86_400_000;

/** What {@link quarantineLua} reads from ARGV: max keys of the index, and ms that each is kept. */
export const quarantineArgs = [bounds.setAside, quarantineMs];

/** The hash that notes a quarantined key: its session's, or the deployment's. */
export function quarantineIndexOf(key: string): string {
  const session = sessionOfKey(key);
  return session === null ? quarantineIndexKey : sessionKeys(session).quarantineIndex;
}

/**
 * Lua functions; KEYS[index] is the {@link quarantineIndexOf} the key, and {@link quarantineArgs} are in ARGV from `firstArg` on.
 * `quarantine(key, why)` moves the key. `noteQuarantined(key, why)` is for a script that has stored a copy there itself.
 */
export function quarantineLua(index: number, firstArg: number): string {
  return `local maxQuarantined, quarantineMs = tonumber(ARGV[${firstArg}]), tonumber(ARGV[${firstArg + 1}])
   local function quarantineName(key) return '${quarantineIndexKey}:' .. string.sub(key, ${keyPrefix.length + 2}) end
   local function noteQuarantined(key, why)
     local index = KEYS[${index}]
     if redis.call('TYPE', index).ok ~= 'hash' then redis.call('DEL', index) end
     local time = redis.call('TIME')
     local note = cjson.encode({at = time[1] * 1000 + math.floor(time[2] / 1000), why = why})
     redis.call('PEXPIRE', quarantineName(key), quarantineMs)
     redis.call('HSET', index, key, note)
     redis.call('PEXPIRE', index, quarantineMs)
     if redis.call('HLEN', index) <= maxQuarantined then return end
     local oldest, oldestAt = nil, nil
     local notes = redis.call('HGETALL', index)
     for i = 1, #notes, 2 do
       local isRead, old = pcall(cjson.decode, notes[i + 1])
       local at = isRead and type(old) == 'table' and tonumber(old.at) or 0
       if redis.call('EXISTS', quarantineName(notes[i])) == 0 then redis.call('HDEL', index, notes[i])
       elseif not oldestAt or at < oldestAt then oldest, oldestAt = notes[i], at end
     end
     if redis.call('HLEN', index) > maxQuarantined then
       redis.call('HDEL', index, oldest)
       redis.call('UNLINK', quarantineName(oldest))
     end
   end
   local function quarantine(key, why)
     redis.call('RENAME', key, quarantineName(key))
     noteQuarantined(key, why)
   end`;
}
