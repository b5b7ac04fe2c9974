import type { OnBound } from '../contract/bounds.js';
import { eventAgeMs, eventCap, type SessionEvent, storedEvent } from '../contract/events.js';
import { sessionKeys } from '../contract/keys.js';
import { type Fence, formatFence } from '../contract/status.js';
import { luaScript } from './lua-script.js';
import type { Redis } from './redis.js';

/** A session's events in Redis: one stream, capped by number and by age, in the order of what happened. */

/** One entry of the stream; `json` is one line. */
export interface StreamEntry {
  /** `<ms>-<number>`, growing. */
  readonly id: string;
  /** An `EventType`, or `job`: an internal notice that no listener gets. */
  readonly type: string;
  readonly json: string;
}

/** The type of the notices that wake those who wait for a job; `json` is `{ id }`. */
export const jobNoticeType = 'job';

/**
 * Lua that adds to the stream KEYS[key] what stands in ARGV from `from` on: the words of {@link wordsOf}. To
 * stand in the script that makes the change, so that there is no change without its events and no event of a
 * change that was refused.
 */
export function addEventsLua(key: number, from: number): string {
  return `for i = ${from} + 2, #ARGV, 2 do
     redis.call('XADD', KEYS[${key}], 'MAXLEN', '=', ARGV[${from}], '*', 'type', ARGV[i], 'event', ARGV[i + 1])
   end
   local now = redis.call('TIME')
   redis.call('XTRIM', KEYS[${key}], 'MINID', '=', string.format('%.0f', now[1] * 1000 - ARGV[${from} + 1]))`;
}

/** What {@link addEventsLua} reads: cap, age in ms, then type and JSON of each event. */
export function wordsOf(events: readonly SessionEvent[], onBound: OnBound): (string | number)[] {
  const stored = events.flatMap((event) => {
    const { json, isCut } = storedEvent(event);
    if (isCut) onBound('eventSize');
    return json === null ? [] : [event.type, json];
  });
  return [eventCap, eventAgeMs, ...stored];
}

/**
 * Adds what happened in the run of `fence`. False: refused, the fence is another's. Where the connection breaks
 * before the answer, nobody knows whether it was added, and a second attempt may add it twice.
 */
export async function appendEvents(
  redis: Redis,
  session: string,
  fence: Fence,
  events: readonly SessionEvent[],
  onBound: OnBound = () => undefined,
): Promise<boolean> {
  const k = sessionKeys(session);
  const words = [formatFence(fence), ...wordsOf(events, onBound)];
  return (await appendScript(redis, [k.fence, k.events], words)) === 1;
}

// KEYS fence events | ARGV expected, words of the events | returns 1, or 0 when the fence is another's
const appendScript = luaScript<number>(
  'appendEvents',
  2,
  `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
   ${addEventsLua(2, 2)}
   return 1`,
);

/** Wakes those who wait for a job on any replica. Only a hint, so it needs no fence. */
export async function noticeJob(redis: Redis, session: string, jobId: string): Promise<void> {
  const { events } = sessionKeys(session);
  const json = JSON.stringify({ id: jobId });
  await redis.xadd(events, 'MAXLEN', '=', eventCap, '*', 'type', jobNoticeType, 'event', json);
}

/** A place between two entries: after one of them, before the first (`-`) or after the last (`+`). */
export type Position = string;

export interface StreamView {
  /** null: the stream is empty. */
  readonly oldestId: string | null;
  readonly lastId: string | null;
  /** The first `count` after the position. */
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
  const [oldestId, lastId, entries] = await readScript(redis, [sessionKeys(session).events], [start, count]);
  return { oldestId: oldestId || null, lastId: lastId || null, entries: entries.map(parseEntry) };
}

type RawEntry = [id: string, fields: string[]];

// KEYS events | ARGV start count | returns {oldest id or '', last id or '', entries}
const readScript = luaScript<[string, string, RawEntry[]]>(
  'readEvents',
  1,
  `local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
   if not oldest then return {'', '', {}} end
   local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
   if ARGV[1] == '+' then return {oldest[1], last[1], {}} end
   return {oldest[1], last[1], redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])}`,
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
  const answer = await redis.xread('COUNT', 500, 'BLOCK', blockMs, 'STREAMS', ...streams);
  return (answer?.[0]?.[1] ?? []).map((entry) => parseEntry(entry as RawEntry));
}

function parseEntry([id, fields]: RawEntry): StreamEntry {
  const value = (name: string) => fields[fields.indexOf(name) + 1] ?? '';
  return { id, type: value('type'), json: value('event') };
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
