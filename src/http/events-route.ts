import { ApiError } from '../contract/errors.js';
import { type EventType, eventSchemas } from '../contract/events.js';
import { isSessionName, sessionOfPath } from '../contract/names.js';
import { isEventId } from '../platform/store/event-positions.js';
import type { Exchange, Route } from './core/exchange.js';
import { InFlightLimit } from './core/in-flight.js';
import { parseQuery } from './core/request-target.js';
import { found, type RouteDoc, textSchema } from './core/route-doc.js';
import { invalidRequest } from './core/validation.js';
import { type Followed, follow } from './events/followed.js';
import { selectForGuest, selectTypes } from './events/frames.js';
import type { SessionRegister } from './session/session-register.js';
import { atSessionPaths } from './session-routes.js';
import type { Sessions } from './sessions.js';

/** `GET /api/events`: server-sent events, either only new ones or all since `Last-Event-ID`. */
export function createEventsRoutes(sessions: Sessions): Route[] {
  const streamsPerCaller = new InFlightLimit('streamsPerCaller', 'event streams');
  return atSessionPaths({
    ...{ method: 'GET', path: '/api/events', scope: 'read', isForGuests: true, isStream: true, doc },
    async handle(exchange) {
      const { callerName } = exchange;
      streamsPerCaller.enter(callerName);
      try {
        await answerEvents(exchange, sessions);
      } finally {
        streamsPerCaller.leave(callerName);
      }
    },
  });
}

async function answerEvents(exchange: Exchange, { feed, register }: Sessions): Promise<void> {
  const { request, response, target, caller, signal } = exchange;
  const isGuest = caller.scope === 'guest';
  const query = parseQuery(target.search);
  const followed = await parseFollowed(query.sessions, exchange, register);
  const types = parseTypes(query.types);
  const selectFrame = isGuest ? selectForGuest(types) : selectTypes(types, caller.boundTo !== null);
  // A guest gets new events only.
  const lastEventId = isGuest ? null : parseLastEventId(request.headers['last-event-id']);
  const start = await feed.readStart(followed);
  // Nothing is awaited between this check and the moment at which writeStream counts the client.
  if (!feed.hasRoom(isGuest)) throw tooManyStreams(isGuest);
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    // A proxy that buffers responses would hold events back.
    'x-accel-buffering': 'no',
  });
  if (request.method !== 'HEAD' && !signal.aborted) {
    await feed.writeStream({ response, followed, lastEventId, start, selectFrame, isGuest, signal });
  }
  response.end();
}

/** Without `sessions`: the session of the path. Throws `session_not_found`. */
async function parseFollowed(
  text: string | undefined,
  { caller, parameters }: Exchange,
  register: Pick<SessionRegister, 'assertExist'>,
): Promise<Followed> {
  if (text === undefined) {
    const session = sessionOfPath(parameters);
    await register.assertExist(caller, [session]);
    return follow([session], caller.boundTo !== null);
  }
  if (caller.scope === 'guest') {
    throw new ApiError('forbidden', 'a QR link gives access only to the events of its own session');
  }
  if (parameters.session !== undefined)
    refuse('sessions', 'is only for /api/events; the path names the session');
  if (text === '*') return follow(caller.boundTo, caller.boundTo !== null);
  const names = text.split(',');
  const isValid = names.length <= maxSessions && names.every(isSessionName);
  if (!isValid || new Set(names).size < names.length) {
    const allowed = `at most ${maxSessions} different names of a-z, 0-9 and -, separated by commas`;
    refuse('sessions', `must be *, for all sessions, or ${allowed}`);
  }
  await register.assertExist(caller, names);
  return follow(names, caller.boundTo !== null);
}

/** null: all types. */
function parseTypes(text: string | undefined): ReadonlySet<EventType> | null {
  if (text === undefined) return null;
  const known = Object.keys(eventSchemas);
  const types = text.split(',');
  if (types.some((type) => !known.includes(type))) refuse('types', `must be a list of ${known.join(', ')}`);
  return new Set(types as EventType[]);
}

/** A client that has not received an event sends an empty id. */
function parseLastEventId(header: string | string[] | undefined): string | null {
  const id = header?.toString() ?? '';
  if (id === '') return null;
  if (!isEventId(id)) refuse('Last-Event-ID', 'must be the id of an event, like 1735689600000-0');
  return id;
}

/** Sessions in a list. Who follows more takes all. */
const maxSessions = 100;

function tooManyStreams(isGuest: boolean): ApiError {
  const bound = isGuest ? 'visitorStreams' : 'streams';
  const message = 'this replica has no room for another event stream; try again, or use another replica';
  return new ApiError('rate_limited', message, { headers: { 'retry-after': '5' }, bound });
}

function refuse(path: string, message: string): never {
  throw invalidRequest([{ path, message }]);
}

const eventExample = {
  type: 'message_ack',
  session: 'default',
  at: '2026-01-01T10:01:40.000Z',
  data: { id: 'true_15551234567@c.us_3EB0C431C26A1916E07A', chat_id: '15551234567@c.us', ack: 1 },
};
const streamExample = `retry: 2000\n\nid: 1767261700000-0\nevent: ${eventExample.type}\ndata: ${JSON.stringify(eventExample)}\n\n`;

const doc: RouteDoc = {
  operationId: 'events',
  tag: 'Events',
  summary: 'The events of the session, or of several, as server-sent events',
  description:
    'Without `sessions` they are those of one session. With it, they come in one stream: each names its `session`, the order within a session is kept, and one `Last-Event-ID` resumes all of them. Each event has `id`, `event` (its type) and `data`: the schema `Event` as one line of JSON. Without `Last-Event-ID` the stream has only new events. With it, the stream has all events after that one, on any replica. Redis keeps 10,000 events for 24 h. If the next event is no longer there, a `gap` event with `oldest_id` comes first, then the oldest events that are kept; its `session` is `*` if the gap is not of one session. A comment every 15 s keeps the connection open.',
  parameters: [
    {
      name: 'sessions',
      in: 'query',
      description: `only at \`/api/events\`: the names of the sessions to follow, separated by commas, at most ${maxSessions}; or \`*\`: all that the key may reach, also those made later`,
      schema: textSchema,
      example: 'default',
    },
    {
      name: 'types',
      in: 'query',
      description: `the types to send, separated by commas: ${Object.keys(eventSchemas).join(', ')}`,
      schema: textSchema,
      example: 'state,qr',
    },
    {
      name: 'Last-Event-ID',
      in: 'header',
      description: 'the id of the last event that the client received; browsers send it by themselves',
      schema: textSchema,
    },
  ],
  responses: {
    200: {
      ...found('text/event-stream', textSchema, streamExample),
      description: 'A stream without an end',
    },
  },
  errors: ['invalid_request', 'session_not_found', 'redis_unavailable'],
};
