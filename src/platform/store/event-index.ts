import { bounds } from '../../contract/bounds.js';
import { eventIndexKey, sessionKeys } from '../../contract/keys.js';
import { defaultSession } from '../../contract/names.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import { withQuarantine } from '../redis/quarantine.js';
import { latestOf, lossesInIndex, type Positions } from './event-positions.js';
import {
  type EventPage,
  type LostEntry,
  parseEdges,
  parseEntry,
  type RawEdges,
  type StreamEntry,
  startOf,
  streamsLua,
} from './event-stream.js';

/**
 * Reads the events of all sessions in their common order: the index names the session of each, and the session's stream has the
 * event. Events of `default` are also found without the index: a supervisor of an earlier version runs only `default`, and
 * writes no index.
 */

export interface IndexPage extends EventPage {
  readonly next: Positions;
}

/** Entries of the index that one page looks at. */
const maxLookedAt = 1_000;
/** If more sessions are followed, a page has the events of all: naming them would cost more. */
const maxNames = 100;

/** The next events of all sessions. With `sessions`: of these, and it may have those of others too. */
export async function readIndex(
  redis: Redis,
  sessions: readonly string[] | null,
  after: Positions,
  count: number,
): Promise<IndexPage> {
  const [prefix = '', suffix = ''] = sessionKeys('*').events.split('*');
  const names = sessions !== null && sessions.length <= maxNames ? sessions : [];
  const starts = [startOf(after.ofOthers), startOf(after.ofDefault)];
  const [indexEdges, defaultEdges, lastOfIndex, lastOfDefault, entries, isLast] = await indexScript(
    redis,
    [eventIndexKey, sessionKeys(defaultSession).events],
    [...starts, count, bounds.eventPage, maxLookedAt, prefix, suffix, defaultSession, ...names],
  );
  const index = parseEdges(indexEdges);
  const ofDefault = { session: defaultSession, ...parseEdges(defaultEdges) };
  const end = { ofDefault: ofDefault.lastId ?? '-', ofOthers: index.lastId ?? '-' };
  const from = after.ofOthers === '+' ? end : after;
  return {
    end,
    readerStart: end,
    losses: lossesInIndex(latestOf(after), index, ofDefault),
    entries: entries.map(parseIndexed),
    next: { ofDefault: lastOfDefault || from.ofDefault, ofOthers: lastOfIndex || from.ofOthers },
    isLast: isLast === 1,
  };
}

type RawIndexed = [session: string, id: string, found: string[] | string];

function parseIndexed([session, id, found]: RawIndexed): StreamEntry | LostEntry {
  return typeof found === 'string'
    ? { id, session, oldestId: found === '' ? null : found }
    : parseEntry(session, id, found);
}

// KEYS index, the stream of default
// ARGV start in the index, start in the stream of default ('+': no entries), max entries, max bytes, max entries to look at, prefix
// and suffix of a stream's key, default, names of sessions (none: all)
// returns {edges of each key, id of the last entry looked at in each or '', entries, 1 if no entry follows}; an entry is {session,
// id, fields}, or {session, id, oldest id or ''} if the session's stream does not have it
// A stream of a wrong type counts as empty: its own readers quarantine it.
const indexScript = luaScript<[RawEdges, RawEdges, string, string, RawIndexed[], number]>(
  'readEventIndex',
  2,
  `${streamsLua}
   local default, named = ARGV[8], {}
   for i = 9, #ARGV do named[ARGV[i]] = true end
   local function isWanted(session) return #ARGV == 8 or named[session] end
   local edges = {edgesOf(KEYS[1]), edgesOf(KEYS[2])}
   if ARGV[1] == '+' then return {edges[1], edges[2], '', '', {}, 1} end
   local function find(session, id)
     local key = ARGV[6] .. session .. ARGV[7]
     local found = redis.pcall('XRANGE', key, id, id)
     if found.err then return '' end
     if found[1] then return found[1][2] end
     local oldest = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1]
     return oldest and oldest[1] or ''
   end
   local max, bytes, lookedAt, isLast, entries = tonumber(ARGV[3]), 0, 0, 0, {}
   local index, last = cursorOf(KEYS[1], ARGV[1], 64), ''
   local own, lastOwn = {}, edges[2][2]
   if isWanted(default) then own, lastOwn = cursorOf(KEYS[2], ARGV[2], math.min(max, 8)), '' end
   local ownMs, ownNumber = string.match(ARGV[2], '^.(%d+)-(%d+)$')
   ownMs, ownNumber = tonumber(ownMs or -1), tonumber(ownNumber or -1)
   local function isAfterOwnStart()
     local ms, number = index.time()
     return ms > ownMs or ms == ownMs and number > ownNumber
   end
   local function lookUp(session, id)
     if not isWanted(session) or not string.match(session, '^[a-z0-9-]+$') then return nil end
     if session ~= default then return find(session, id) end
     return id ~= lastOwn and isAfterOwnStart() and edges[2][1] or nil
   end
   while #entries < max and lookedAt < tonumber(ARGV[5]) do
     local isOwn = own.entry and not index.isBefore(own)
     local next = isOwn and own or index
     if not next.entry then
       isLast = 1
       break
     end
     local id, session = next.entry[1], isOwn and default or valueOf(next.entry, 's')
     local found = isOwn and next.entry[2] or lookUp(session, id)
     if type(found) == 'table' then bytes = bytes + bytesOf(found) end
     if #entries > 0 and bytes > tonumber(ARGV[4]) then break end
     if found then entries[#entries + 1] = {session, id, found} end
     if isOwn then lastOwn = id else last = id end
     lookedAt = lookedAt + 1
     next.advance()
   end
   return {edges[1], edges[2], last, lastOwn, entries, isLast}`,
);

/** Waits at most `blockMs` for an event after the position. Blocks its connection, which must be used for nothing else. */
export async function awaitIndex(redis: Redis, after: Positions, blockMs: number): Promise<void> {
  const keys = [eventIndexKey, sessionKeys(defaultSession).events];
  const from = [after.ofOthers, after.ofDefault].map((position) => (position === '-' ? '0-0' : position));
  await withQuarantine(redis, keys, () =>
    redis.xread('COUNT', 1, 'BLOCK', blockMs, 'STREAMS', ...keys, ...from),
  );
}
