import { ApiError } from '../contract/errors.js';
import { type EventType, eventSchemas } from '../contract/events.js';
import { isEventId } from '../platform/store/event-stream.js';
import type { Exchange } from './core/exchange.js';
import { InFlightLimit } from './core/in-flight.js';
import { parseQuery } from './core/request-target.js';
import { invalidRequest } from './core/validation.js';
import type { EventFeed } from './events/event-feed.js';
import { selectForGuest, selectTypes } from './events/frames.js';
import type { SessionRoute } from './session-routes.js';

/** `GET /api/events`: server-sent events, the new ones only or all since `Last-Event-ID`. */
export function createEventsRoute(): SessionRoute {
  const streamsPerCaller = new InFlightLimit('streamsPerCaller', 'event streams');
  return {
    ...{ method: 'GET', path: '/api/events', scope: 'read', isForGuests: true },
    async handle(exchange, { feed }) {
      const { callerName } = exchange;
      streamsPerCaller.enter(callerName);
      try {
        await answerEvents(exchange, feed);
      } finally {
        streamsPerCaller.leave(callerName);
      }
    },
  };
}

async function answerEvents(exchange: Exchange, feed: EventFeed): Promise<void> {
  const { request, response, target, caller, signal } = exchange;
  const isGuest = caller.scope === 'guest';
  const types = parseTypes(parseQuery(target.search).types);
  const selectFrame = isGuest ? selectForGuest(types) : selectTypes(types);
  // A guest gets new events only.
  const lastEventId = isGuest ? null : parseLastEventId(request.headers['last-event-id']);
  const start = await feed.readStart();
  // Nothing is awaited between this check and the moment when the client counts.
  if (!feed.hasRoom(isGuest)) throw tooManyStreams(isGuest);
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    // A proxy that buffers responses would hold events back.
    'x-accel-buffering': 'no',
  });
  if (request.method !== 'HEAD' && !signal.aborted) {
    await feed.writeStream({ response, lastEventId, start, selectFrame, isGuest, signal });
  }
  response.end();
}

/** null: all types. */
function parseTypes(text: string | undefined): ReadonlySet<EventType> | null {
  if (text === undefined) return null;
  const known = Object.keys(eventSchemas);
  const types = text.split(',');
  if (types.some((type) => !known.includes(type))) refuse('types', `must be a list of ${known.join(', ')}`);
  return new Set(types as EventType[]);
}

/** A client that has had no event sends an empty id. */
function parseLastEventId(header: string | string[] | undefined): string | null {
  const id = header?.toString() ?? '';
  if (id === '') return null;
  if (!isEventId(id)) refuse('Last-Event-ID', 'must be the id of an event, like 1735689600000-0');
  return id;
}

function tooManyStreams(isGuest: boolean): ApiError {
  const bound = isGuest ? 'visitorStreams' : 'streams';
  const message = 'this replica serves as many event streams as it may; try again, or use another replica';
  return new ApiError('rate_limited', message, { headers: { 'retry-after': '5' }, bound });
}

function refuse(path: string, message: string): never {
  throw invalidRequest([{ path, message }]);
}
