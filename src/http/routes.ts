import { ApiError } from '../contract/errors.js';
import type { MetricsPage } from '../platform/metrics/metrics-page.js';
import { createLoginRoutes, type LoginParts } from './auth/login-routes.js';
import { createQrLinkRoutes } from './auth/qr-link-routes.js';
import type { Exchange, Route } from './core/exchange.js';
import { htmlType, send, sendJson } from './core/responses.js';
import { found, type RouteDoc, textSchema } from './core/route-doc.js';
import { createDocsRoutes } from './docs-page.js';
import { createEventsRoute } from './events-route.js';
import { createMetricsRoute } from './http-metrics.js';
import { createMcpRoute } from './mcp/route.js';
import { createOpenApiRoute } from './openapi/route.js';
import type { Handlers } from './operations/call.js';
import { createOperationRoutes } from './operations/rest.js';
import { pageHeaders } from './pages/layout.js';
import { problemPage } from './pages/problem-page.js';
import { resolveSessions, type SessionRoute } from './session-routes.js';
import type { Session, Sessions } from './sessions.js';

export interface RouteParts extends LoginParts {
  readonly sessions: Sessions;
  readonly handlers: Handlers;
  readonly metrics: MetricsPage;
  pingRedis(): Promise<void>;
}

/** All routes: the operations of the table, the QR pages, events, MCP, docs, logins, metrics and probes. */
export function createRoutes(parts: RouteParts): Route[] {
  const { sessions, handlers, log, onBound } = parts;
  const ofSessions = [
    ...createOperationRoutes(handlers),
    ...createQrRoutes(parts),
    ...createQrLinkRoutes(parts),
    createEventsRoute(),
    createMcpRoute({ handlers, log, onBound }),
  ];
  const routes = [
    ...resolveSessions(ofSessions, sessions),
    ...createProbeRoutes(parts),
    ...createLoginRoutes(parts),
    createMetricsRoute(parts.metrics),
    ...createDocsRoutes(),
  ];
  return [...routes, createOpenApiRoute(routes)];
}

/** `/qr` and `/qr.png`, for an admin and for a guest who opened a QR link. */
function createQrRoutes({ apiKeys }: Pick<RouteParts, 'apiKeys'>): SessionRoute[] {
  const route = { method: 'GET', scope: 'admin', isForGuests: true } as const;
  return [
    {
      ...{ ...route, path: '/qr', problemPage, doc: qrPageDoc },
      async handle({ response, caller, admission: { baseUrl } }, { reader, renderQrPage }) {
        const viewer = { caller, baseUrl, needsKey: !apiKeys.isEmpty };
        send(response, 200, htmlType, renderQrPage(await reader.qrBase64(), viewer), pageHeaders);
      },
    },
    { ...route, path: '/qr.png', doc: qrImageDoc, handle: answerPng },
  ];
}

const qrPageDoc: RouteDoc = {
  operationId: 'qrPage',
  tag: 'Session',
  summary: 'The page that links a phone',
  description:
    'Shows what to do now, the code if there is one, and the state. The page updates itself. Opening it never starts a login.',
  responses: { 200: found('text/html', textSchema) },
  errors: ['redis_unavailable'],
};

const qrImageDoc: RouteDoc = {
  ...{ operationId: 'qrImage', tag: 'Session', summary: 'The code to scan, as an image of 360x360 pixels' },
  responses: { 200: found('image/png', {}) },
  errors: ['qr_not_available', 'redis_unavailable'],
};

async function answerPng({ response }: Exchange, { reader }: Session): Promise<void> {
  const png = await reader.qrPng();
  if (png === null) {
    throw new ApiError('qr_not_available', 'there is no QR to scan now; ask /api/status for the state');
  }
  send(response, 200, 'image/png', png);
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
