import { bounds } from '../../contract/bounds.js';
import { parseJson } from '../../contract/json.js';
import { sessionKeys } from '../../contract/keys.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import { withQuarantine } from '../redis/quarantine.js';

/** Reads a session's events: one stream, in the order in which they happened. Writers trim it. */

/** An entry of the stream. */
export interface StreamEntry {
  /** `<ms>-<number>`; grows. */
  readonly id: string;
  /** An `EventType`; any other type is internal, and is not sent to clients. */
  readonly type: string;
  /** One line. */
  readonly json: string;
}

/** The id of an entry: right after it; `-`: before the first entry; `+`: after the last. */
export type Position = string;

export interface StreamView {
  /** null: the stream is empty. */
  readonly oldestId: string | null;
  readonly lastId: string | null;
  /** The first entries after the position: at most `count`, and at most the bytes of a page, but at least one entry. */
  readonly entries: readonly StreamEntry[];
}

/** A page of the stream with the stream's first and last id, read in one step. */
export async function readEvents(
  redis: Redis,
  session: string,
  after: Position,
  count: number,
): Promise<StreamView> {
  const start = after === '-' || after === '+' ? after : `(${after}`;
  const [oldestId, lastId, entries] = await readScript(
    redis,
    [sessionKeys(session).events],
    [start, count, bounds.eventPage],
  );
  return { oldestId: oldestId || null, lastId: lastId || null, entries: entries.map(parseEntry) };
}

type RawEntry = [id: string, fields: string[]];

// KEYS events
// ARGV start, max entries, max bytes
// returns {oldest id, last id, entries}, '' for no id
// Reads a few entries at a time, so that it collects few bytes beyond the page.
const readScript = luaScript<[string, string, RawEntry[]]>(
  'readEvents',
  1,
  `local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
   if not oldest then return {'', '', {}} end
   local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
   if ARGV[1] == '+' then return {oldest[1], last[1], {}} end
   local entries, bytes, start, max = {}, 0, ARGV[1], tonumber(ARGV[2])
   while #entries < max do
     local few = math.min(8, max - #entries)
     local page = redis.call('XRANGE', KEYS[1], start, '+', 'COUNT', few)
     for _, entry in ipairs(page) do
       for i = 2, #entry[2], 2 do bytes = bytes + #entry[2][i] end
       if #entries > 0 and bytes > tonumber(ARGV[3]) then return {oldest[1], last[1], entries} end
       entries[#entries + 1] = entry
     end
     if #page < few then break end
     start = '(' .. page[#page][1]
   end
   return {oldest[1], last[1], entries}`,
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
  return (reply?.[0]?.[1] ?? []).map((entry) => parseEntry(entry as RawEntry));
}

/** An entry with an unreadable event keeps its place in the stream, but becomes internal: no client gets it. */
function parseEntry([id, fields]: RawEntry): StreamEntry {
  const named: Record<string, string> = {};
  for (let i = 0; i + 1 < fields.length; i += 2) named[fields[i] as string] = fields[i + 1] as string;
  const { type = '', event = '' } = named;
  return isEvent(event) ? { id, type, json: event } : { id, type: unreadableType, json: '{}' };
}

/** The type of an unreadable entry. */
export const unreadableType = 'unreadable';

/** A JSON object on one line: it is sent as it is. */
function isEvent(json: string): boolean {
  return json.startsWith('{') && !/[\r\n]/.test(json) && parseJson(json) !== undefined;
}

/** Whether `id` can be the id of an event. Redis allows larger numbers, but its clock does not produce them. */
export function isEventId(id: string): boolean {
  return /^(?:0|[1-9]\d{0,14})-(?:0|[1-9]\d{0,14})$/.test(id);
}

export function isAfter(id: string, position: Position): boolean {
  if (position === '-') return true;
  const [ms = 0, number = 0] = id.split('-').map(Number);
  const [otherMs = 0, otherNumber = 0] = position.split('-').map(Number);
  return ms === otherMs ? number > otherNumber : ms > otherMs;
}

/**
 * Whether entries after `position` may be lost. `trimmed`: they were deleted to keep the stream within its bounds; `reset`:
 * Redis has lost the stream, and the ids start over.
 */
export function lossAt(position: Position, view: StreamView): 'trimmed' | 'reset' | null {
  if (position === '-' || position === '+') return null;
  if (view.oldestId === null || view.lastId === null || isAfter(position, view.lastId)) return 'reset';
  return isAfter(view.oldestId, position) ? 'trimmed' : null;
}
