import type { MetricsPage } from '../platform/metrics/metrics-page.js';
import { createLoginRoutes, type LoginParts } from './auth/login-routes.js';
import { createQrLinkRoutes } from './auth/qr-link-routes.js';
import type { Route } from './core/exchange.js';
import type { FailureLog } from './core/failure-log.js';
import { sendJson } from './core/responses.js';
import { found, type RouteDoc } from './core/route-doc.js';
import { createDocsRoutes } from './docs-page.js';
import { createEventsRoutes } from './events-route.js';
import { createMetricsRoute } from './http-metrics.js';
import { createMcpRoute } from './mcp/route.js';
import { createOpenApiRoute } from './openapi/route.js';
import type { Handlers } from './operations/call.js';
import { createOperationRoutes } from './operations/rest.js';
import { createQrRoutes, withHomePage } from './qr-routes.js';
import { resolveSessions } from './session-routes.js';
import type { Sessions } from './sessions.js';

export interface RouteParts extends LoginParts {
  readonly sessions: Sessions;
  readonly handlers: Handlers;
  readonly metrics: MetricsPage;
  readonly failures: FailureLog;
  pingRedis(): Promise<void>;
}

/** All routes: the operations of the table, the QR pages, events, MCP, docs, logins, metrics and probes. */
export function createRoutes(parts: RouteParts): Route[] {
  const { sessions, handlers, log, failures, onBound } = parts;
  const routes = [
    ...withHomePage(createOperationRoutes(handlers, sessions), sessions),
    ...resolveSessions(createQrRoutes(parts), sessions),
    ...createEventsRoutes(sessions),
    ...createQrLinkRoutes(parts),
    createMcpRoute({ handlers, sessions, log, failures, onBound }),
    ...createProbeRoutes(parts),
    ...createLoginRoutes(parts),
    createMetricsRoute(parts.metrics),
    ...createDocsRoutes(),
  ];
  return [...routes, createOpenApiRoute(routes)];
}

function createProbeRoutes({ pingRedis }: Pick<RouteParts, 'pingRedis'>): Route[] {
  const route = { method: 'GET', scope: 'open' } as const;
  return [
    {
      ...{ ...route, path: '/livez', doc: livezDoc },
      handle: async ({ response }) => sendJson(response, { ok: true }),
    },
    {
      ...{ ...route, path: '/readyz', doc: readyzDoc },
      async handle({ response }) {
        await pingRedis();
        sendJson(response, { ok: true });
      },
    },
  ];
}

const okSchema = { type: 'object', required: ['ok'], properties: { ok: { const: true } } };

const livezDoc: RouteDoc = {
  ...{ operationId: 'livez', tag: 'About', summary: 'Whether this replica serves' },
  responses: { 200: found('application/json', okSchema) },
};

const readyzDoc: RouteDoc = {
  ...{ operationId: 'readyz', tag: 'About', summary: 'Whether this replica serves and Redis answers' },
  responses: { 200: found('application/json', okSchema) },
  errors: ['redis_unavailable'],
};
