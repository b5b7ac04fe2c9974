import { Counter, Gauge, Histogram } from 'prom-client';
import type { OnBound } from '../contract/bounds.js';
import type { Config } from '../platform/config/config.js';
import { createBoundCounter } from '../platform/metrics/bound-counter.js';
import { createDeploymentMetrics } from '../platform/metrics/deployment-metrics.js';
import { MetricsPage } from '../platform/metrics/metrics-page.js';
import type { Redis } from '../platform/redis/connection.js';
import type { Route } from './core/exchange.js';
import { send } from './core/responses.js';
import { found, type RouteDoc, textSchema } from './core/route-doc.js';
import { everyMethod } from './core/router.js';
import type { ServedRequest } from './core/served-request.js';
import type { Sessions } from './sessions.js';

interface HttpMetricsParts {
  readonly config: Config;
  readonly redis: Redis;
  readonly sessions: () => Sessions;
}

export interface HttpMetrics {
  readonly page: MetricsPage;
  /** Counts a request that has been answered. */
  count(served: ServedRequest): void;
  readonly onBound: OnBound;
}

/** The label of every path without a route. Labels from callers could create any number of time series. */
const unknownPath = '(unknown)';
/** Their metrics make a page of one MB. The supervisors expose those of the sessions that they run, however many. */
const maxSessions = 1_000;
const durationBucketsS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/** The metrics of one HTTP replica; docs/metrics.md describes each. */
export function createHttpMetrics({ config, redis, sessions }: HttpMetricsParts): HttpMetrics {
  const page = new MetricsPage(config.role, () => refresh());
  const registers = [page.registry];
  const refresh = createDeploymentMetrics({
    registry: page.registry,
    redis,
    sessions: async () => (await sessions().register.names()).slice(0, maxSessions),
    heartbeatTtlMs: config.timing.heartbeatTtlMs,
  });
  new Gauge({
    name: 'holdline_event_listeners',
    help: 'Clients that follow the events of the session on this replica.',
    registers,
    collect() {
      this.set(sessions().feed.clientCount);
    },
  });
  const requests = new Counter({
    name: 'holdline_http_requests_total',
    help: 'Requests answered, by route and status; 499 if the client left before the answer.',
    labelNames: ['method', 'route', 'status'],
    registers,
  });
  const duration = new Histogram({
    name: 'holdline_http_request_duration_seconds',
    help: 'Time to the whole answer, including waits that the caller requested; without event streams.',
    labelNames: ['method', 'route'],
    buckets: durationBucketsS,
    registers,
  });
  const boundsReached = createBoundCounter(registers);

  return {
    page,
    onBound: (bound) => boundsReached.inc({ bound }),
    count({ request, response, match, startedAt }) {
      const route = match?.resource.path ?? unknownPath;
      const method = everyMethod.find((each) => each === request.method) ?? 'other';
      const isStream = match?.resource.isStream === true && response.headersSent;
      const status = response.writableFinished || isStream ? response.statusCode : 499;
      requests.inc({ method, route, status });
      if (!isStream) duration.observe({ method, route }, (performance.now() - startedAt) / 1_000);
    },
  };
}

/** `GET /metrics`, for Prometheus. */
export function createMetricsRoute(page: MetricsPage): Route {
  return {
    ...{ method: 'GET', path: '/metrics', scope: 'read', isForUnbound: true, doc },
    async handle({ response }) {
      send(response, 200, page.contentType, await page.render());
    },
  };
}

const doc: RouteDoc = {
  operationId: 'metrics',
  tag: 'About',
  summary: 'The metrics of this replica, for Prometheus',
  responses: { 200: found('text/plain', textSchema) },
};
