import { ApiError } from '../../contract/errors.js';
import { type EventType, eventSchemas } from '../../contract/events.js';
import { isEventId } from '../../platform/store/event-stream.js';
import type { Exchange } from '../core/exchange.js';
import { InFlightLimit } from '../core/in-flight.js';
import { invalidRequest } from '../core/issues.js';
import { parseQuery } from '../core/request-target.js';
import type { SessionRoute } from '../session-routes.js';
import type { EventFeed } from './event-feed.js';
import { presentTypes } from './frames.js';
import { presentToVisitors } from './visitor-frames.js';

/** `GET /api/events`: server-sent events, live, or all after `Last-Event-ID`. */
export function createEventsRoute(): SessionRoute {
  const ofCallers = new InFlightLimit('streamsPerCaller', 'event streams');
  return {
    ...{ method: 'GET', path: '/api/events', scope: 'read', isForQrVisitors: true },
    async handle(exchange, { feed }) {
      const { callerName } = exchange;
      ofCallers.enter(callerName);
      try {
        await answerEvents(exchange, feed);
      } finally {
        ofCallers.leave(callerName);
      }
    },
  };
}

async function answerEvents(exchange: Exchange, feed: EventFeed): Promise<void> {
  const { request, response, target, caller, signal } = exchange;
  const isVisitor = caller.scope === 'qr';
  const types = parseTypes(parseQuery(target.search).types);
  const present = isVisitor ? presentToVisitors(types) : presentTypes(types);
  // A visitor gets what comes, and nothing of what was.
  const lastEventId = isVisitor ? null : parseLastEventId(request.headers['last-event-id']);
  const beginning = await feed.begin();
  // Nothing is waited for between this and its joining the others.
  if (!feed.hasRoom(isVisitor)) throw full(isVisitor ? 'visitorStreams' : 'streams');
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    // A proxy that gathers an answer before it passes it on would hold events back.
    'x-accel-buffering': 'no',
  });
  if (request.method !== 'HEAD' && !signal.aborted) {
    await feed.stream({ response, lastEventId, beginning, present, tellsPlace: !isVisitor, signal });
  }
  response.end();
}

function parseTypes(text: string | undefined): ReadonlySet<EventType> | null {
  if (text === undefined) return null;
  const known = Object.keys(eventSchemas);
  const types = text.split(',');
  const unknown = types.filter((type) => !known.includes(type));
  if (unknown.length > 0) refuse('types', `must be a list of ${known.join(', ')}`);
  return new Set(types as EventType[]);
}

/** An empty id is what a client sends that has had none. */
function parseLastEventId(header: string | string[] | undefined): string | null {
  const id = header?.toString() ?? '';
  if (id === '') return null;
  if (!isEventId(id)) refuse('Last-Event-ID', 'must be the id of an event, like 1735689600000-0');
  return id;
}

function full(bound: 'streams' | 'visitorStreams'): ApiError {
  return new ApiError('rate_limited', 'as many clients listen here as may; try again, or another replica', {
    ...{ headers: { 'retry-after': '5' }, bound },
  });
}

function refuse(path: string, message: string): never {
  throw invalidRequest([{ path, message }]);
}
