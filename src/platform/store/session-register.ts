import { isDeepStrictEqual } from 'node:util';
import { bounds } from '../../contract/bounds.js';
import { parseAs } from '../../contract/json.js';
import {
  keyPrefix,
  registerCheckedKey,
  registerKey,
  registerNamesKey,
  sessionKeys,
  supervisorPlacesKey,
} from '../../contract/keys.js';
import { defaultSession } from '../../contract/names.js';
import {
  type SessionChanges,
  type SessionRecord,
  sessionRecordSchema,
  unconfigured,
  unreadableRecord,
  withChanges,
} from '../../contract/session-record.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';

/**
 * The register of sessions: which there are, and what is configured of each. `default` exists without an entry. An entry that cannot
 * be read is a session whose configuration is not known.
 */

const keys = [registerKey, registerNamesKey];

/**
 * Lua that makes the names (KEYS[2]) anew from the register (KEYS[1]) if one of the two was lost. Drops what is no name from the
 * register. Otherwise it writes nothing: Redis may have no memory left.
 */
const orderLua = `local isNamed = redis.call('ZSCORE', KEYS[2], '${defaultSession}')
   local others = redis.call('HLEN', KEYS[1]) - redis.call('HEXISTS', KEYS[1], '${defaultSession}')
   if not isNamed or redis.call('ZCARD', KEYS[2]) ~= others + 1 then
     redis.call('DEL', KEYS[2])
     redis.call('ZADD', KEYS[2], 0, '${defaultSession}')
     for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
       if #name <= 64 and string.match(name, '^[a-z0-9-]+$') then redis.call('ZADD', KEYS[2], 0, name)
       else redis.call('HDEL', KEYS[1], name) end
     end
   end`;

/** Whether there is a session of each name. `isChecked`: see {@link isRegisterChecked}. */
export async function sessionsExist(
  redis: Redis,
  names: readonly string[],
): Promise<{ readonly exist: readonly boolean[]; readonly isChecked: boolean }> {
  const [found, checked] = await existScript(redis, [registerKey, registerCheckedKey], names);
  return {
    exist: names.map((name, i) => name === defaultSession || found[i] === 1),
    isChecked: checked === 1,
  };
}

// KEYS register checked
// ARGV names
// returns for each whether it has an entry, and whether the register is checked
const existScript = luaScript<[found: number[], checked: number]>(
  'sessionsExist',
  2,
  `local found = {}
   for i, name in ipairs(ARGV) do found[i] = redis.call('HEXISTS', KEYS[1], name) end
   return { found, redis.call('EXISTS', KEYS[2]) }`,
);

/** Whether the register has all sessions. False: Redis is new, or has lost its data, and no supervisor has checked it since. */
export async function isRegisterChecked(redis: Redis): Promise<boolean> {
  return (await redis.exists(registerCheckedKey)) === 1;
}

/** Call it when what Redis had lost is registered again. */
export async function noteRegisterChecked(redis: Redis): Promise<void> {
  await redis.set(registerCheckedKey, '1');
}

/** The records of these sessions, in their order; null: there is no such session. */
export async function findSessions(
  redis: Redis,
  names: readonly string[],
): Promise<(SessionRecord | null)[]> {
  const entries = await findScript(redis, [registerKey], names);
  return names.map((name, i) => recordOf(name, entries[i] ?? null));
}

// KEYS register
// ARGV names
// returns the entry of each
const findScript = luaScript<(string | null)[]>(
  'findSessions',
  1,
  "return redis.call('HMGET', KEYS[1], unpack(ARGV))",
);

function recordOf(name: string, json: string | null): SessionRecord | null {
  if (json === null) return name === defaultSession ? unconfigured : null;
  return parseAs(sessionRecordSchema, json) ?? unreadableRecord;
}

/**
 * Makes a session, or changes what is given of it. Two calls at once both take effect, one after the other. `full`: there are as many
 * sessions as there may be.
 */
export async function putSession(
  redis: Redis,
  name: string,
  changes: SessionChanges,
): Promise<'made' | 'changed' | 'full'> {
  for (;;) {
    const [stored, digest] = await readEntryScript(redis, [registerKey], [name]);
    const before = recordOf(name, stored) ?? { ...unconfigured, created_at: new Date().toISOString() };
    const record = withChanges(before, changes);
    const { wiped, account } = sessionKeys(name);
    const args = [name, digest, JSON.stringify(record), bounds.sessions];
    const result = await putScript(redis, [...keys, wiped, account], args);
    if (result !== 'other') return result;
  }
}

// KEYS register
// ARGV name
// returns the entry and its sha1, '' without an entry
const readEntryScript = luaScript<[string | null, string]>(
  'readEntry',
  1,
  `local stored = redis.call('HGET', KEYS[1], ARGV[1])
   return {stored, stored and redis.sha1hex(stored) or ''}`,
);

// KEYS register names wiped account
// ARGV name, sha1 of the entry that it replaces ('' for none), the new entry, most sessions
// returns made, changed, full, or other if another entry is there by now
const putScript = luaScript<'made' | 'changed' | 'full' | 'other'>(
  'putSession',
  4,
  `local stored = redis.call('HGET', KEYS[1], ARGV[1]) or ''
   if (stored ~= '' and redis.sha1hex(stored) or '') ~= ARGV[2] then return 'other' end
   if stored == '' and ARGV[1] ~= '${defaultSession}' and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) then return 'full' end
   redis.call('ZADD', KEYS[2], 0, ARGV[1])
   redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
   redis.call('PERSIST', KEYS[3])
   redis.call('PERSIST', KEYS[4])
   return stored == '' and ARGV[1] ~= '${defaultSession}' and 'made' or 'changed'`,
);

/** Registers a session of which there is a copy, if it is not registered or the copy is newer: Redis has lost the entry. */
export async function registerIfMissing(redis: Redis, name: string, record: SessionRecord): Promise<void> {
  if (name === defaultSession && isDeepStrictEqual(record, unconfigured)) return;
  const { wiped, account } = sessionKeys(name);
  const args = [name, JSON.stringify(record), record.revision];
  await restoreScript(redis, [...keys, wiped, account], args);
}

// KEYS register names wiped account
// ARGV name, entry, its revision
// returns 1, or 0 if the same or a newer one is registered
const restoreScript = luaScript<number>(
  'registerIfMissing',
  4,
  `local stored = redis.call('HGET', KEYS[1], ARGV[1])
   if stored then
     local isRead, record = pcall(cjson.decode, stored)
     local revision = isRead and type(record) == 'table' and tonumber(record.revision) or 0
     if revision >= tonumber(ARGV[3]) then return 0 end
   end
   redis.call('ZADD', KEYS[2], 0, ARGV[1])
   redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
   redis.call('PERSIST', KEYS[3])
   redis.call('PERSIST', KEYS[4])
   return 1`,
);

/** What a list shows of a session. */
export interface ListedSession {
  readonly session: string;
  readonly record: SessionRecord;
  /** The texts of its keys `state`, `heartbeat`, `start` and `endedStart`, and of the places of supervisors. */
  readonly texts: readonly (string | null)[];
}

/** Which sessions: these, as far as they exist; or at most `count` after the one named `after`, by name. */
export type Wanted =
  | { readonly only: readonly string[] }
  | { readonly after: string | null; readonly count: number };

/** Takes one round trip. */
export async function listSessions(redis: Redis, wanted: Wanted): Promise<ListedSession[]> {
  const { state, heartbeat, start, endedStart } = sessionKeys('');
  const suffixes = [state, heartbeat, start, endedStart].map((key) => key.slice(ownPrefix.length));
  const which = 'only' in wanted ? ['', 0, wanted.only] : [wanted.after ?? '', wanted.count, []];
  const listKeys = [...keys, supervisorPlacesKey];
  const entries = await listScript(redis, listKeys, [ownPrefix, ...suffixes, ...which.flat()]);
  return entries.map(([session, entry, ...texts]) => {
    return {
      session,
      record: recordOf(session, entry === '' ? null : entry) ?? unconfigured,
      texts: texts.map((text) => (text === '' ? null : text)),
    };
  });
}

const ownPrefix = `${keyPrefix}:s:`;

// KEYS register names places
// ARGV the beginning of a session's keys, the ends of the keys of its four texts, the name before the first ('' for none), count,
// names (with a count of 0)
// returns {name, entry, the four texts, places} of each; '' for a missing text
const listScript = luaScript<[string, string, ...string[]][]>(
  'listSessions',
  3,
  `${orderLua}
   local function text(key)
     local found = redis.pcall('GET', key)
     return type(found) == 'string' and found or ''
   end
   local list = {}
   local names = {}
   if ARGV[7] ~= '0' then names = redis.call('ZRANGE', KEYS[2], '(' .. ARGV[6], '+', 'BYLEX', 'LIMIT', 0, ARGV[7]) end
   for i = 8, #ARGV do
     if redis.call('ZSCORE', KEYS[2], ARGV[i]) then names[#names + 1] = ARGV[i] end
   end
   local places = text(KEYS[3])
   for _, name in ipairs(names) do
     local row = {name, redis.call('HGET', KEYS[1], name) or ''}
     for i = 2, 5 do row[i + 1] = text(ARGV[1] .. name .. ARGV[i]) end
     row[7] = places
     list[#list + 1] = row
   end
   return list`,
);

/** The names of all sessions, in order. One round trip. */
export function sessionNames(redis: Redis): Promise<string[]> {
  return namesScript(redis, keys, []);
}

// KEYS register names
// returns the names
const namesScript = luaScript<string[]>(
  'sessionNames',
  2,
  `${orderLua}
   return redis.call('ZRANGE', KEYS[2], 0, -1)`,
);
