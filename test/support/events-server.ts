import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Redis } from 'ioredis';
import { ApiError, httpStatusOf } from '../../src/contract/errors.js';
import { mayReach } from '../../src/http/core/caller.js';
import type { Exchange } from '../../src/http/core/exchange.js';
import { parseTarget } from '../../src/http/core/request-target.js';
import { EventFeed } from '../../src/http/events/event-feed.js';
import type { FeedTuning } from '../../src/http/events/feed-tuning.js';
import { createEventsRoutes } from '../../src/http/events-route.js';
import { createStatusView } from '../../src/http/session/session-reader.js';
import type { Sessions } from '../../src/http/sessions.js';
import { connectPatiently } from '../../src/platform/redis/connection.js';
import { logTo } from './log-lines.js';
import { onBound } from './on-bound.js';

/** Serves the route of events for sessions that a test names, without the rest of a replica. */
export interface EventsServer {
  readonly url: string;
  /** The sessions that exist. */
  readonly sessions: Set<string>;
  readonly logLines: Record<string, unknown>[];
  close(): Promise<void>;
}

/** Header with the names to which the caller is bound; without it, the caller may reach every session. */
export const boundToHeader = 'x-bound-to';
/** Present: the caller opened a QR link. */
export const guestHeader = 'x-guest';

export async function startEventsServer(
  redisUrl: string,
  redis: Redis,
  tuning: Partial<FeedTuning> = {},
): Promise<EventsServer> {
  const logLines: Record<string, unknown>[] = [];
  const log = logTo(logLines);
  const sessions = new Set(['default']);
  const configured = { authDir: '', chromeExecutable: '', headless: true };
  const feed = new EventFeed({
    ...{ redis, log, onBound },
    connect: () => connectPatiently(redisUrl, { socketTimeoutMs: 10_000 }, log),
    statusViewOf: (session) => createStatusView({ ...configured, session }),
    listSessions: async () => [...sessions],
    blockMs: 1_000,
    tuning: { lingerMs: 50, pageSize: 7, pingIntervalMs: 100, ownerCheckIntervalMs: 50, ...tuning },
  });
  const register: Pick<Sessions['register'], 'assertExist'> = {
    async assertExist(caller, names) {
      const isMissing = (name: string) => !mayReach(caller, name) || !sessions.has(name);
      if (names.some(isMissing)) throw new ApiError('session_not_found', 'there is no such session');
    },
  };
  const [route] = createEventsRoutes({ feed, register } as Sessions);
  const closing = new AbortController();
  const server = createServer((request, response) => {
    const left = new AbortController();
    response.on('close', () => left.abort());
    const target = parseTarget(request.url ?? '');
    const inPath = /^\/api\/sessions\/([^/]+)\/events$/.exec(target.path)?.[1];
    const bound = request.headers[boundToHeader]?.toString().split(',') ?? null;
    const scope = guestHeader in request.headers ? 'guest' : 'read';
    const exchange = {
      ...{ request, response, target, callerName: 'test' },
      caller: { keyName: 'test', scope, via: 'key', boundTo: bound },
      parameters: inPath === undefined ? {} : { session: inPath },
      signal: AbortSignal.any([closing.signal, left.signal]),
    } as unknown as Exchange;
    route?.handle(exchange).catch((error: unknown) => {
      if (!(error instanceof ApiError)) {
        response.destroy(error as Error);
        return;
      }
      response.writeHead(httpStatusOf[error.code], { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: { code: error.code, message: error.message } }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sessions,
    logLines,
    async close() {
      closing.abort();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await feed.close();
    },
  };
}
