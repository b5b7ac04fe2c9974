import { bounds } from '../../contract/bounds.js';
import { sessionKeys } from '../../contract/keys.js';
import { parseJson } from '../data-errors.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import { settingAside } from '../redis/set-aside.js';

/** Reads a session's events from Redis: one stream, in the order of what happened, kept short by whoever writes to it. */

/** One entry of the stream; `json` is one line. */
export interface StreamEntry {
  /** `<ms>-<number>`, growing. */
  readonly id: string;
  /** An `EventType`; whatever else stands there is internal, and no listener gets it. */
  readonly type: string;
  readonly json: string;
}

/** A place between two entries: after one of them, before the first (`-`) or after the last (`+`). */
export type Position = string;

export interface StreamView {
  /** null: the stream is empty. */
  readonly oldestId: string | null;
  readonly lastId: string | null;
  /** The first after the position: `count` of them, or as many as a page may have bytes, but one at least. */
  readonly entries: readonly StreamEntry[];
}

/** A page of the stream and its bounds, of one moment. */
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

// KEYS events | ARGV start count bytes | returns {oldest id or '', last id or '', entries}
// A few at a time: what is beyond the bytes must not be gathered first.
const readScript = luaScript<[string, string, RawEntry[]]>(
  'readEvents',
  1,
  `local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
   if not oldest then return {'', '', {}} end
   local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
   if ARGV[1] == '+' then return {oldest[1], last[1], {}} end
   local entries, bytes, start, most = {}, 0, ARGV[1], tonumber(ARGV[2])
   while #entries < most do
     local few = math.min(8, most - #entries)
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

/** Waits for entries after the position, at most `blockMs`; for a connection that does nothing else. */
export async function awaitEvents(
  redis: Redis,
  session: string,
  after: Position,
  blockMs: number,
): Promise<StreamEntry[]> {
  const from = after === '-' ? '0-0' : after;
  const streams = [sessionKeys(session).events, from] as const;
  const answer = await settingAside(redis, [streams[0]], () =>
    redis.xread('COUNT', bounds.liveEvents, 'BLOCK', blockMs, 'STREAMS', ...streams),
  );
  return (answer?.[0]?.[1] ?? []).map((entry) => parseEntry(entry as RawEntry));
}

/** One without an event that can be read is internal to all: it has its place, and nobody gets it. */
function parseEntry([id, fields]: RawEntry): StreamEntry {
  const told: Record<string, string> = {};
  for (let i = 0; i + 1 < fields.length; i += 2) told[fields[i] as string] = fields[i + 1] as string;
  const { type = '', event = '' } = told;
  return isEvent(event) ? { id, type, json: event } : { id, type: unreadableType, json: '{}' };
}

/** The type of an entry that nobody can read. */
export const unreadableType = 'unreadable';

/** An object on one line: it goes over the wire as it is. */
function isEvent(json: string): boolean {
  return json.startsWith('{') && !/[\r\n]/.test(json) && parseJson(json) !== undefined;
}

/** Whether `id` can be one of ours. Redis allows larger numbers, but its clock does not give them. */
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
 * Whether what came after `position` may be lost: `trimmed`, it is older than anything kept; `reset`, Redis
 * has lost the stream, and counts anew.
 */
export function lossAt(position: Position, view: StreamView): 'trimmed' | 'reset' | null {
  if (position === '-' || position === '+') return null;
  if (view.oldestId === null || view.lastId === null || isAfter(position, view.lastId)) return 'reset';
  return isAfter(view.oldestId, position) ? 'trimmed' : null;
}
