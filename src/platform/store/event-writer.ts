import { type BoundName, bounds, type OnBound } from '../../contract/bounds.js';
import { type SessionEvent, storedEvent } from '../../contract/events.js';
import { eventIndexKey, sessionKeys } from '../../contract/keys.js';
import { type Fence, formatFence } from '../../contract/status.js';
import { luaScript } from '../redis/lua-script.js';
import type { StoreConnection } from '../redis/store-connection.js';

/**
 * Adds to a session's stream of events, and trims it to its bounds in number, age and bytes. Each entry has a field `total`: the
 * bytes of all events up to and including it. So the bytes between two entries are one subtraction, and no counter can drift.
 *
 * Each event is also an entry of the index, under the same id. So ids are unique and increase over all sessions.
 */

const eventAgeMs = 86_400_000;

/** The bound that was reached, by the reply of a script. */
const boundReached: Readonly<Record<number, BoundName>> = {
  3: 'events',
  4: 'eventBytes',
  5: 'eventIndex',
};

/** Whether the events were added, by the reply of a script that ends with {@link addEventsLua}. */
export function wereEventsAdded(reply: number, onBound: OnBound): boolean {
  const bound = boundReached[reply];
  if (bound !== undefined) onBound(bound);
  return reply !== 0;
}

/**
 * Lua that adds the {@link eventArgs} in ARGV from `firstArg` on to the stream KEYS[key] and the index KEYS[indexKey], trims both,
 * and returns: 1, added; 3, the stream was also trimmed to its number; 4, to its bytes; 5, the index was trimmed to its number.
 * It is the last part of the script that makes the change: so there is no change without its events, and no event of a refused
 * change.
 *
 * The index gives the id. The stream may be ahead of it: an older version writes to the stream only, or Redis has lost the index.
 * Then the stream gives the id.
 *
 * Entries of an older version have no `total`. Their bytes are summed up when the first entry is added after them. They
 * count as if no bytes came before them, so they are trimmed too early rather than too late.
 */
export function addEventsLua(key: number, indexKey: number, firstArg: number): string {
  return `local stream, maxEvents, maxBytes = KEYS[${key}], tonumber(ARGV[${firstArg}]), tonumber(ARGV[${firstArg} + 2])
   local index, indexFields = KEYS[${indexKey}], {'s', ARGV[${firstArg} + 4]}
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
   local function totalOfNewest()
     local sum, before, kept, count = 0, '+', nil, 1
     while true do
       local page = redis.call('XREVRANGE', stream, before, '-', 'COUNT', count)
       for _, entry in ipairs(page) do
         local total = totalOf(entry)
         if total then return total + sum end
         local size = #field(entry, 'event')
         if sum + size > maxBytes then
           if kept then redis.call('XTRIM', stream, 'MINID', '=', kept) else redis.call('XTRIM', stream, 'MAXLEN', '=', 0) end
           return sum
         end
         sum, kept = sum + size, entry[1]
       end
       if #page < count then return sum end
       before, count = '(' .. kept, 16
     end
   end
   if redis.call('EXISTS', index) == 0 then indexFields = {'s', ARGV[${firstArg} + 4], 'first', '1'} end
   local function add(kind, json, total)
     local fields = {'type', kind, 'event', json, 'total', string.format('%.0f', total)}
     local id = redis.call('XADD', index, '*', unpack(indexFields))
     local added = redis.pcall('XADD', stream, id, unpack(fields))
     if type(added) == 'table' then
       redis.call('XDEL', index, id)
       id = redis.call('XADD', stream, '*', unpack(fields))
       redis.call('XADD', index, id, unpack(indexFields))
     end
     indexFields = {'s', ARGV[${firstArg} + 4]}
   end
   local total = totalOfNewest()
   for i = ${firstArg} + 5, #ARGV, 2 do
     total = total + #ARGV[i + 1]
     add(ARGV[i], ARGV[i + 1], total)
   end
   local reply = 1
   if redis.call('XTRIM', index, 'MAXLEN', '~', ARGV[${firstArg} + 3]) > 0 then reply = 5 end
   if redis.call('XTRIM', stream, 'MAXLEN', '=', maxEvents) > 0 then reply = 3 end
   local now = redis.call('TIME')
   local minId = string.format('%.0f', now[1] * 1000 - ARGV[${firstArg} + 1])
   redis.call('XTRIM', index, 'MINID', '~', minId)
   redis.call('XTRIM', stream, 'MINID', '=', minId)
   local function isBeyond(entry)
     local upTo = totalOf(entry)
     local bytesBefore = upTo and upTo - #field(entry, 'event') or 0
     return total - bytesBefore > maxBytes
   end
   local count = 1
   while true do
     local page = redis.call('XRANGE', stream, '-', '+', 'COUNT', count)
     local kept = 1
     while page[kept] and isBeyond(page[kept]) do kept = kept + 1 end
     if kept == 1 then return reply end
     reply = 4
     if page[kept] then
       redis.call('XTRIM', stream, 'MINID', '=', page[kept][1])
       return reply
     end
     redis.call('XTRIM', stream, 'MINID', '=', page[#page][1])
     redis.call('XDEL', stream, page[#page][1])
     count = 16
   end`;
}

/** What {@link addEventsLua} reads: {@link limitsOf} the session, then type and JSON of each event. */
export function eventArgs(
  session: string,
  events: readonly SessionEvent[],
  onBound: OnBound,
): (string | number)[] {
  const stored = events.flatMap((event) => {
    const { json, isCut } = storedEvent(event);
    if (isCut) onBound('eventSize');
    return json === null ? [] : [event.type, json];
  });
  return [...limitsOf(session), ...stored];
}

/** Max events, max age in ms, max bytes, max events of the index, and the session. */
function limitsOf(session: string): (string | number)[] {
  return [bounds.events, eventAgeMs, bounds.eventBytes, bounds.eventIndex, session];
}

/**
 * Adds events of the run that has this fence. False: refused, Redis has another fence. If the connection breaks before
 * the reply, the events may have been added, and a second attempt may add them twice.
 */
export async function appendEvents(
  redis: StoreConnection,
  session: string,
  fence: Fence,
  events: readonly SessionEvent[],
  onBound: OnBound,
): Promise<boolean> {
  const k = sessionKeys(session);
  const args = [formatFence(fence), ...eventArgs(session, events, onBound)];
  return wereEventsAdded(await appendScript(redis, [k.fence, k.events, eventIndexKey], args), onBound);
}

// KEYS fence events index
// ARGV expected, eventArgs
// returns 0 if the fence is not `expected`, else as addEventsLua
const appendScript = luaScript<number>(
  'appendEvents',
  3,
  `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
   ${addEventsLua(2, 3, 2)}`,
);

/** Trims the stream. An older version may have left more events than this one keeps, and so no memory for new data. */
export async function trimEvents(redis: StoreConnection, session: string): Promise<void> {
  await trimScript(redis, [sessionKeys(session).events, eventIndexKey], limitsOf(session));
}

// KEYS events index
// ARGV eventArgs without events
// returns as addEventsLua
const trimScript = luaScript<number>('trimEvents', 2, addEventsLua(1, 2, 1));
