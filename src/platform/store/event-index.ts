import { bounds } from '../../contract/bounds.js';
import { eventIndexKey, sessionKeys } from '../../contract/keys.js';
import { defaultSession } from '../../contract/names.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import { withQuarantine } from '../redis/quarantine.js';
import { laterOf, lossesInIndex, type Position } from './event-positions.js';
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
  /** How far the page got: beyond its last event if events of other sessions follow. */
  readonly next: Position;
}

/** Entries of the index that one page looks at. */
const maxLookedAt = 1_000;
/** If more sessions are followed, a page has the events of all: naming them would cost more. */
const maxNames = 100;

/** The next events of all sessions. With `sessions`: of these, and it may have those of others too. */
export async function readIndex(
  redis: Redis,
  sessions: readonly string[] | null,
  after: Position,
  count: number,
): Promise<IndexPage> {
  const [prefix = '', suffix = ''] = sessionKeys('*').events.split('*');
  const names = sessions !== null && sessions.length <= maxNames ? sessions : [];
  const [indexEdges, defaultEdges, next, entries] = await indexScript(
    redis,
    [eventIndexKey, sessionKeys(defaultSession).events],
    [startOf(after), count, bounds.eventPage, maxLookedAt, prefix, suffix, defaultSession, ...names],
  );
  const index = parseEdges(indexEdges);
  const ofDefault = { session: defaultSession, ...parseEdges(defaultEdges) };
  const lastId = laterOf([index.lastId, ofDefault.lastId]);
  return {
    lastId,
    readerStart: lastId ?? '-',
    losses: lossesInIndex(after, index, ofDefault),
    entries: entries.map(parseIndexed),
    next: next === '' ? after : next,
  };
}

type RawIndexed = [session: string, id: string, found: string[] | string];

function parseIndexed([session, id, found]: RawIndexed): StreamEntry | LostEntry {
  return typeof found === 'string'
    ? { id, session, oldestId: found === '' ? null : found }
    : parseEntry(session, id, found);
}

// KEYS index, events of default
// ARGV start ('+': no entries), max entries, max bytes, max entries of the index, prefix and suffix of a stream's key, default,
// names of sessions (none: all)
// returns {edges of each key, id of the last entry looked at or '', entries}; an entry is {session, id, fields}, or {session, id,
// oldest id or ''} if the session's stream does not have it
// A stream of a wrong type counts as empty: its own readers quarantine it.
const indexScript = luaScript<[RawEdges, RawEdges, string, RawIndexed[]]>(
  'readEventIndex',
  2,
  `${streamsLua}
   local default, named = ARGV[7], {}
   for i = 8, #ARGV do named[ARGV[i]] = true end
   local function isWanted(session) return #ARGV == 7 or named[session] end
   local edges = {edgesOf(KEYS[1]), edgesOf(KEYS[2])}
   if ARGV[1] == '+' then return {edges[1], edges[2], '', {}} end
   local function find(session, id)
     local key = ARGV[5] .. session .. ARGV[6]
     local found = redis.pcall('XRANGE', key, id, id)
     if found.err then return '' end
     if found[1] then return found[1][2] end
     local oldest = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1]
     return oldest and oldest[1] or ''
   end
   local max, bytes, lookedAt, last, entries = tonumber(ARGV[2]), 0, 0, '', {}
   local index = cursorOf(KEYS[1], ARGV[1], 64)
   local own = isWanted(default) and cursorOf(KEYS[2], ARGV[1], math.min(max, 8)) or {}
   while #entries < max and lookedAt < tonumber(ARGV[4]) do
     local isOwn = own.entry and not index.isBefore(own)
     local next = isOwn and own or index
     if not next.entry then break end
     local id, session = next.entry[1], isOwn and default or valueOf(next.entry, 's')
     if isWanted(session) and string.match(session, '^[a-z0-9-]+$') then
       local found = isOwn and next.entry[2] or find(session, id)
       if type(found) == 'table' then bytes = bytes + bytesOf(found) end
       if #entries > 0 and bytes > tonumber(ARGV[3]) then break end
       entries[#entries + 1] = {session, id, found}
     end
     lookedAt, last = lookedAt + 1, id
     if isOwn and index.entry and index.entry[1] == id then index.advance() end
     next.advance()
   end
   return {edges[1], edges[2], last, entries}`,
);

/** Waits at most `blockMs` for an event after the position. Blocks its connection, which must be used for nothing else. */
export async function awaitIndex(redis: Redis, after: Position, blockMs: number): Promise<void> {
  const keys = [eventIndexKey, sessionKeys(defaultSession).events];
  const from = after === '-' ? '0-0' : after;
  await withQuarantine(redis, keys, () =>
    redis.xread('COUNT', 1, 'BLOCK', blockMs, 'STREAMS', ...keys, from, from),
  );
}
