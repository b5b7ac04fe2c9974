import { bounds } from '../../contract/bounds.js';
import { parseJson } from '../../contract/json.js';
import { eventIndexKey, sessionKeys } from '../../contract/keys.js';
import { defaultSession } from '../../contract/names.js';
import type { Redis } from '../redis/connection.js';
import { withQuarantine } from '../redis/quarantine.js';
import { variadicScript } from '../redis/raw-script.js';
import {
  type Loss,
  laterOf,
  latestOf,
  lossesAt,
  type Position,
  type Positions,
  type StreamBounds,
} from './event-positions.js';

/** Reads the events of sessions: each has a stream, in the order in which they happened. Writers trim it. */

/** An entry of the stream. */
export interface StreamEntry {
  /** `<ms>-<number>`; grows. */
  readonly id: string;
  readonly session: string;
  /** An `EventType`; any other type is internal, and is not sent to clients. */
  readonly type: string;
  /** One line. */
  readonly json: string;
}

/** An event of the index that its session's stream no longer has. */
export interface LostEntry {
  readonly id: string;
  readonly session: string;
  /** The oldest event that the stream has; null: none. */
  readonly oldestId: string | null;
}

export interface EventPage {
  /** The position of somebody who has read every event of these sessions. */
  readonly end: Positions;
  /** The same of the index: whoever reads on after this misses nothing that comes after this page was read. */
  readonly readerStart: Positions;
  /** What may be lost after the position. */
  readonly losses: readonly Loss[];
  /** The next events after the position: at most `count`, and at most the bytes of a page, but at least one. */
  readonly entries: readonly (StreamEntry | LostEntry)[];
  /** Where the next page begins, if not after the last entry. */
  readonly next: Positions | null;
  /** No event was after this page. */
  readonly isLast: boolean;
}

/** A page from the streams themselves: they have all of its events. */
export interface StreamPage extends EventPage {
  readonly entries: readonly StreamEntry[];
}

/**
 * The next events of these sessions, in the order of their ids, read in one step from the streams of the sessions. `isBound`: what may be
 * lost must not depend on the events of others. Then a position after the last of these events counts as lost.
 */
export async function readEvents(
  redis: Redis,
  sessions: readonly string[],
  after: Positions,
  count: number,
  isBound = false,
): Promise<StreamPage> {
  // The stream of default comes last if nobody asked for it: a reader of the index needs its end.
  const all = sessions.includes(defaultSession) ? sessions : [...sessions, defaultSession];
  const keys = [eventIndexKey, ...all.map((session) => sessionKeys(session).events)];
  const starts = sessions.map((session) =>
    startOf(session === defaultSession ? after.ofDefault : after.ofOthers),
  );
  const args = [count, bounds.eventPage, ...starts];
  const [edges, entries] = await withQuarantine(redis, keys, () => readScript(redis, keys, args));
  const [index = noEntries, ...streams] = edges.map(parseEdges);
  const named = streams.map((stream, i) => ({ session: all[i] as string, ...stream }));
  const ofDefault = named.find(({ session }) => session === defaultSession)?.lastId ?? '-';
  const followed = named.slice(0, sessions.length);
  const others = followed.filter(({ session }) => session !== defaultSession).map(({ lastId }) => lastId);
  return {
    end: { ofDefault: all === sessions ? ofDefault : '-', ofOthers: laterOf(others) ?? '-' },
    readerStart: { ofDefault, ofOthers: index.lastId ?? '-' },
    losses: lossesAt(latestOf(after), isBound ? noEntries : index, followed),
    entries: entries.map(([at, id, fields]) => parseEntry(sessions[at - 1] as string, id, fields)),
    next: null,
    isLast: entries.length === 0,
  };
}

/** The first id that XRANGE shall return. */
export function startOf(after: Position): string {
  return after === '-' || after === '+' ? after : `(${after}`;
}

export type RawEdges = [oldest: string, last: string, isWhole: number];

const noEntries: StreamBounds = { oldestId: null, lastId: null, isWhole: true };

export function parseEdges([oldest, last, isWhole]: RawEdges): StreamBounds {
  return oldest === '' ? noEntries : { oldestId: oldest, lastId: last, isWhole: isWhole === 1 };
}

/**
 * Lua functions. `edgesOf(key)`: {oldest id, last id, 1 if no entry was ever before the oldest} of a stream of events or of the
 * index. `cursorOf(key, start, few)` reads a stream in steps of a few entries: its `entry` is the next one. `bytesOf(entry)`.
 */
export const streamsLua = `local function valueOf(entry, name)
     for i = 1, #entry[2], 2 do
       if entry[2][i] == name then return entry[2][i + 1] end
     end
     return ''
   end
   local function edgesOf(key)
     local oldest = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1]
     if not oldest then return {'', '', 1} end
     local isWhole = valueOf(oldest, 'first') == '1' or valueOf(oldest, 'total') == tostring(#valueOf(oldest, 'event'))
     return {oldest[1], redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1][1], isWhole and 1 or 0}
   end
   local function cursorOf(key, start, few)
     local cursor, page, at = {}, {}, 0
     function cursor.advance()
       at = at + 1
       if at > #page and start then
         page, at = redis.call('XRANGE', key, start, '+', 'COUNT', few), 1
         start = #page == few and '(' .. page[few][1] or nil
       end
       cursor.entry, cursor.ms = page[at], nil
     end
     function cursor.time()
       if not cursor.ms then
         local ms, number = string.match(cursor.entry[1], '^(%d+)-(%d+)$')
         cursor.ms, cursor.number = tonumber(ms), tonumber(number)
       end
       return cursor.ms, cursor.number
     end
     function cursor.isBefore(other)
       if not other or not other.entry then return cursor.entry ~= nil end
       if not cursor.entry then return false end
       local ms, number = cursor.time()
       local otherMs, otherNumber = other.time()
       if ms == otherMs then return number < otherNumber end
       return ms < otherMs
     end
     cursor.advance()
     return cursor
   end
   local function bytesOf(fields)
     local bytes = 0
     for i = 2, #fields, 2 do bytes = bytes + #fields[i] end
     return bytes
   end`;

// KEYS index, events of each session, and of default if it is not among them
// ARGV max entries, max bytes, start in the stream of each session ('+': no entries)
// returns {edges of each key, entries}; an entry is {number of the session, id, fields}
// Reads a few entries at a time, so that it collects few bytes beyond the page.
const readScript = variadicScript<[RawEdges[], [at: number, id: string, fields: string[]][]]>(
  'readEvents',
  `${streamsLua}
   local edges, cursors, entries, bytes, max = {}, {}, {}, 0, tonumber(ARGV[1])
   local few = math.max(1, math.min(max, math.floor(8 / (#KEYS - 1))))
   for i, key in ipairs(KEYS) do
     edges[i] = edgesOf(key)
     local start = i > 1 and ARGV[i + 1]
     if start and start ~= '+' then cursors[i - 1] = cursorOf(key, start, few) end
   end
   while #entries < max do
     local next, session
     for i, cursor in ipairs(cursors) do
       if cursor.isBefore(next) then next, session = cursor, i end
     end
     if not next then break end
     bytes = bytes + bytesOf(next.entry[2])
     if #entries > 0 and bytes > tonumber(ARGV[2]) then break end
     entries[#entries + 1] = {session, next.entry[1], next.entry[2]}
     next.advance()
   end
   return {edges, entries}`,
);

/** Waits at most `blockMs` for entries after the position. Blocks its connection, which must be used for nothing else. */
export async function awaitEvents(
  redis: Redis,
  session: string,
  after: Position,
  blockMs: number,
): Promise<StreamEntry[]> {
  const from = after === '-' ? '0-0' : after;
  const streams = [sessionKeys(session).events, from] as const;
  const reply = await withQuarantine(redis, [streams[0]], () =>
    redis.xread('COUNT', bounds.liveEvents, 'BLOCK', blockMs, 'STREAMS', ...streams),
  );
  return (reply?.[0]?.[1] ?? []).map(([id, fields]) => parseEntry(session, id, fields));
}

/** An entry with an unreadable event keeps its place in the stream, but becomes internal: no client gets it. */
export function parseEntry(session: string, id: string, fields: readonly string[]): StreamEntry {
  const named: Record<string, string> = {};
  for (let i = 0; i + 1 < fields.length; i += 2) named[fields[i] as string] = fields[i + 1] as string;
  const { type = '', event = '' } = named;
  return isEvent(event)
    ? { id, session, type, json: event }
    : { id, session, type: unreadableType, json: '{}' };
}

/** The type of an unreadable entry. */
export const unreadableType = 'unreadable';

/** A JSON object on one line: it is sent as it is. */
function isEvent(json: string): boolean {
  return json.startsWith('{') && !/[\r\n]/.test(json) && parseJson(json) !== undefined;
}
