import { ApiError } from '../contract/errors.js';
import type { MetricsPage } from '../platform/metrics/metrics-page.js';
import { createLoginRoutes, type LoginParts } from './auth/login-routes.js';
import { createQrLinkRoutes } from './auth/qr-link-routes.js';
import type { Exchange, Route } from './core/exchange.js';
import { htmlType, send, sendJson } from './core/responses.js';
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

/** All that is served: the table's operations, the pages around the QR, events, tools, docs and the probes. */
export function createRoutes(parts: RouteParts): Route[] {
  const { sessions, handlers, log, onBound } = parts;
  const ofSessions = [
    ...createOperationRoutes(handlers),
    ...createQrRoutes(parts),
    ...createQrLinkRoutes(parts),
    createEventsRoute(),
    createMcpRoute({ handlers, log, onBound }),
  ];
  return [
    ...resolveSessions(ofSessions, sessions),
    ...createProbeRoutes(parts),
    ...createLoginRoutes(parts),
    createOpenApiRoute(),
    createMetricsRoute(parts.metrics),
    ...createDocsRoutes(),
  ];
}

/** `/qr` and `/qr.png`, for an admin and for a guest who came by a QR link. */
function createQrRoutes({ apiKeys }: Pick<RouteParts, 'apiKeys'>): SessionRoute[] {
  const route = { method: 'GET', scope: 'admin', isForGuests: true } as const;
  return [
    {
      ...{ ...route, path: '/qr', problemPage },
      async handle({ response, caller, admission: { baseUrl } }, { reader, renderQrPage }) {
        const viewer = { caller, baseUrl, needsKey: !apiKeys.isEmpty };
        send(response, 200, htmlType, renderQrPage(await reader.qrBase64(), viewer), pageHeaders);
      },
    },
    { ...route, path: '/qr.png', handle: answerPng },
  ];
}

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
    { ...route, path: '/livez', handle: async ({ response }) => sendJson(response, { ok: true }) },
    {
      ...{ ...route, path: '/readyz' },
      async handle({ response }) {
        await pingRedis();
        sendJson(response, { ok: true });
      },
    },
  ];
}
