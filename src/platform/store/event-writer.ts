import { type BoundName, bounds, type OnBound } from '../../contract/bounds.js';
import { type SessionEvent, storedEvent } from '../../contract/events.js';
import { sessionKeys } from '../../contract/keys.js';
import { type Fence, formatFence } from '../../contract/status.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';

/**
 * Adds to a session's stream of events, and keeps it within its bounds in number, age and bytes. For the last each entry has a
 * field `total`, the bytes of all events up to it: what stands between two entries is one subtraction, and nothing can drift.
 */

const eventAgeMs = 86_400_000;

/** Which bound of the stream was met, by the answer of a script. */
const boundMet: Readonly<Record<number, BoundName>> = { 3: 'events', 4: 'eventBytes' };

/** Whether the events are written, by the answer of a script that ends with {@link addEventsLua}. */
export function areWritten(answer: number, onBound: OnBound): boolean {
  const bound = boundMet[answer];
  if (bound !== undefined) onBound(bound);
  return answer !== 0;
}

/**
 * Lua that adds to the stream KEYS[key] what stands in ARGV from `from` on, the words of {@link wordsOf}, and returns what
 * {@link areWritten} reads. To end the script that makes the change, so that there is no change without its events and
 * no event of a change that was refused.
 *
 * What a version wrote that did not count is counted when the first entry comes behind it, and has no total itself: it counts as if
 * nothing had been trimmed before it, and goes rather too early than too late.
 */
export function addEventsLua(key: number, from: number): string {
  return `local stream, most, mostBytes = KEYS[${key}], tonumber(ARGV[${from}]), tonumber(ARGV[${from} + 2])
   local function field(entry, name)
     for i = 1, #entry[2], 2 do
       if entry[2][i] == name then return entry[2][i + 1] end
     end
     return ''
   end
   local function totalOf(entry)
     local text = field(entry, 'total')
     return #text < 16 and string.match(text, '^%d+$') and tonumber(text) or nil
   end
   local function countUpToNewest()
     local sum, before, kept, count = 0, '+', nil, 1
     while true do
       local page = redis.call('XREVRANGE', stream, before, '-', 'COUNT', count)
       for _, entry in ipairs(page) do
         local total = totalOf(entry)
         if total then return total + sum end
         local size = #field(entry, 'event')
         if sum + size > mostBytes then
           if kept then redis.call('XTRIM', stream, 'MINID', '=', kept) else redis.call('XTRIM', stream, 'MAXLEN', '=', 0) end
           return sum
         end
         sum, kept = sum + size, entry[1]
       end
       if #page < count then return sum end
       before, count = '(' .. kept, 16
     end
   end
   local total = countUpToNewest()
   for i = ${from} + 3, #ARGV, 2 do
     total = total + #ARGV[i + 1]
     redis.call('XADD', stream, '*', 'type', ARGV[i], 'event', ARGV[i + 1], 'total', string.format('%.0f', total))
   end
   local answer = redis.call('XTRIM', stream, 'MAXLEN', '=', most) > 0 and 3 or 1
   local now = redis.call('TIME')
   redis.call('XTRIM', stream, 'MINID', '=', string.format('%.0f', now[1] * 1000 - ARGV[${from} + 1]))
   local function isBeyond(entry)
     local upTo = totalOf(entry)
     local earlier = upTo and upTo - #field(entry, 'event') or 0
     return total - earlier > mostBytes
   end
   local count = 1
   while true do
     local page = redis.call('XRANGE', stream, '-', '+', 'COUNT', count)
     local kept = 1
     while page[kept] and isBeyond(page[kept]) do kept = kept + 1 end
     if kept == 1 then return answer end
     answer = 4
     if page[kept] then
       redis.call('XTRIM', stream, 'MINID', '=', page[kept][1])
       return answer
     end
     redis.call('XTRIM', stream, 'MINID', '=', page[#page][1])
     redis.call('XDEL', stream, page[#page][1])
     count = 16
   end`;
}

/** What {@link addEventsLua} reads: most in number, age in ms, most in bytes, then type and JSON of each event. */
export function wordsOf(events: readonly SessionEvent[], onBound: OnBound): (string | number)[] {
  const stored = events.flatMap((event) => {
    const { json, isCut } = storedEvent(event);
    if (isCut) onBound('eventSize');
    return json === null ? [] : [event.type, json];
  });
  return [...limits, ...stored];
}

const limits = [bounds.events, eventAgeMs, bounds.eventBytes];

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
  return areWritten(await appendScript(redis, [k.fence, k.events], words), onBound);
}

// KEYS fence events | ARGV expected, words of the events | returns 0 when the fence is another's, else as the events say
const appendScript = luaScript<number>(
  'appendEvents',
  2,
  `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
   ${addEventsLua(2, 2)}`,
);

/** What an earlier version left may be more than is kept now, and more than Redis has room for beside anything new. */
export async function trimEvents(redis: Redis, session: string): Promise<void> {
  await trimScript(redis, [sessionKeys(session).events], limits);
}

// KEYS events | ARGV words of no events
const trimScript = luaScript<number>('trimEvents', 1, addEventsLua(1, 1));
