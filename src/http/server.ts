import { once, setMaxListeners } from 'node:events';
import type { AddressInfo } from 'node:net';
import { supervisorsKey } from '../contract/keys.js';
import type { Config } from '../platform/config/config.js';
import { listen } from '../platform/listen.js';
import type { Logger } from '../platform/logger.js';
import { localUrl } from '../platform/own-urls.js';
import { connectFailFast, disconnect, type Redis } from '../platform/redis/connection.js';
import { watchMaster } from '../platform/redis/master-watch.js';
import { accessEnded, createApiKeys } from './auth/api-keys.js';
import { createAuthenticate } from './auth/authenticate.js';
import { createBrowserLogins } from './auth/browser-logins.js';
import { createCheckGrants } from './auth/grants.js';
import { withLoginLimits } from './auth/login-limits.js';
import { LoginWatch } from './auth/login-watch.js';
import { createMadeKeys } from './auth/made-keys.js';
import { createRateLimits } from './auth/rate-limits.js';
import { sendProblem } from './auth/send-problem.js';
import { Connections } from './connections/connections.js';
import { createHttpServer, serve, stopServing } from './connections/node-server.js';
import { createApp } from './core/app.js';
import { createAddresses } from './core/client-ip.js';
import { createCors } from './core/cors.js';
import { FailureLog } from './core/failure-log.js';
import { createHostOriginGuard } from './core/host-origin-guard.js';
import { BodyMemory, InFlightLimit } from './core/in-flight.js';
import { viaRedis } from './core/redis-errors.js';
import { logRequest } from './core/request-log.js';
import type { FeedTuning } from './events/feed-tuning.js';
import { createHttpMetrics } from './http-metrics.js';
import { mcpHeaderNames } from './mcp/route.js';
import { createHandlers } from './operations/handlers.js';
import { createKeyHandlers } from './operations/key-handlers.js';
import { createRoutes } from './routes.js';
import { createSessions } from './sessions.js';

export interface HttpServer {
  readonly port: number;
  /** The URL for a client on this machine, without a slash at the end. */
  readonly url: string;
  /** Ends every wait, lets requests in flight be answered, and closes all connections. */
  close(): Promise<void>;
}

export interface HttpParts {
  readonly config: Config;
  readonly redisUrl: string;
  readonly log: Logger;
  /** The supervisor beside this process logs outages of Redis. */
  readonly isBesideSupervisor?: boolean;
  readonly feedTuning?: Partial<FeedTuning>;
}

/** How long a start waits for the first connection to Redis. The server then starts, connected or not. */
const firstConnectionMs = 500;
/** How long a stream may outlive a login that was ended on another replica. */
const loginCheckMs = 1_000;

/**
 * Serves the API from Redis alone. A replica keeps no state, so any number of replicas give the same answers. The server listens
 * whether or not Redis is up. Throws `OperatorError` if it cannot listen.
 */
export async function startHttp(parts: HttpParts): Promise<HttpServer> {
  const { config, redisUrl, log, isBesideSupervisor, feedTuning } = parts;
  const redisLog = isBesideSupervisor ? log.child({}, { level: 'error' }) : log;
  const closing = new AbortController();
  // Each waiting request adds a listener, so many listeners are not a leak.
  setMaxListeners(0, closing.signal);
  const background = new Set<Promise<void>>();
  const server = createHttpServer();
  const redis = connectFailFast(redisUrl, config.timing.httpCommandTimeoutMs, redisLog);
  const queueRedis = connectFailFast(redisUrl, config.timing.httpCommandTimeoutMs, redisLog);
  const masterWatch = watchMaster(redisUrl, log);
  const metrics = createHttpMetrics({ config, redis, sessions: () => sessions });
  const { onBound } = metrics;
  const failures = new FailureLog(log);
  const sessions = createSessions({
    ...{ config, redisUrl, redis, queueRedis, redisLog, log, onBound, closing: closing.signal, background },
    feedTuning,
  });
  const apiKeys = createApiKeys(config.apiKeys);
  const madeKeys = createMadeKeys(redis);
  const logins = withLoginLimits(createBrowserLogins(redis, apiKeys, madeKeys), redis, onBound);
  const loginWatch = new LoginWatch(createCheckGrants(redis, apiKeys), loginCheckMs, log);
  const limits = createRateLimits(redis, config.rateLimit);
  const keyHandlers = createKeyHandlers({ apiKeys, madeKeys, loginWatch, log });
  const handlers = createHandlers(sessions, logins, limits, keyHandlers, redis);
  const routes = createRoutes({
    ...{ sessions, handlers, apiKeys, madeKeys, logins, loginWatch, limits, log, failures },
    ...{ metrics: metrics.page, onBound },
    async pingRedis() {
      // Reads a key of this product. Any node of a cluster would answer a PING.
      await viaRedis(() => Promise.all([redis, queueRedis].map((each) => each.exists(supervisorsKey))));
    },
  });
  const addresses = createAddresses(config.trustedProxies);
  const app = createApp({
    routes,
    guard: createHostOriginGuard(config),
    authenticate: createAuthenticate({ apiKeys, madeKeys, logins, loginWatch, onBound }),
    cors: config.allowedOrigins.length > 0 ? createCors(mcpHeaderNames) : null,
    problems: { accessEnded, send: sendProblem },
    limits,
    addresses,
    requestsInFlight: new InFlightLimit('requestsUnderWay', 'requests under way'),
    bodyMemory: new BodyMemory(),
    onEnd(served) {
      metrics.count(served);
      logRequest(log, failures, served);
      connections.onResponseClosed(served.request.socket);
    },
    onBound,
    closing: closing.signal,
  });
  const connections = new Connections({ addresses, handle: app.handle, onBound });
  serve(server, connections, onBound);
  async function closeParts(): Promise<void> {
    failures.close();
    loginWatch.close();
    await Promise.all(background);
    await sessions.close();
    await Promise.all([masterWatch.stop(), disconnect(redis), disconnect(queueRedis)]);
  }

  await Promise.all([firstOutcome(redis), firstOutcome(queueRedis)]);
  try {
    await listen(server, config);
    // For example if no file descriptor is left. Only the new connection fails.
    server.on('error', (error) => log.warn({ err: error }, 'a connection was not accepted'));
  } catch (error) {
    await closeParts();
    throw error;
  }
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: localUrl(config.host, port),
    async close() {
      closing.abort();
      await stopServing(server);
      await closeParts();
    },
  };
}

/** Waits for the first connection. Without this wait the first requests would fail although Redis is up. */
async function firstOutcome(redis: Redis): Promise<void> {
  if (redis.status === 'ready') return;
  const known = new AbortController();
  const timer = setTimeout(() => known.abort(), firstConnectionMs);
  const until = { signal: known.signal };
  const outcomes = [once(redis, 'ready', until), once(redis, 'close', until)];
  await Promise.race(outcomes).catch(() => undefined);
  known.abort();
  clearTimeout(timer);
  await Promise.allSettled(outcomes);
}
