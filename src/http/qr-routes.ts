import { ApiError } from '../contract/errors.js';
import { pathOfSession } from '../contract/names.js';
import type { ApiKeys } from './auth/api-keys.js';
import { isOperator } from './auth/operator.js';
import type { Exchange, Route } from './core/exchange.js';
import { acceptsHtml } from './core/headers.js';
import { htmlType, send } from './core/responses.js';
import { found, type RouteDoc, textSchema } from './core/route-doc.js';
import type { Handlers } from './operations/call.js';
import { homePage } from './pages/home-page.js';
import { pageHeaders, tabsHeader } from './pages/layout.js';
import { problemPage } from './pages/problem-page.js';
import { createQrFormRoutes } from './qr-form-routes.js';
import type { SessionRoute } from './session-routes.js';
import type { Session, Sessions } from './sessions.js';

interface QrRouteParts {
  readonly apiKeys: Pick<ApiKeys, 'isEmpty'>;
  readonly handlers: Handlers;
}

/** `/qr` and `/qr.png`, for an admin and for a guest who opened a QR link; and the forms of the admin's page. */
export function createQrRoutes({ apiKeys, handlers }: QrRouteParts): SessionRoute[] {
  const route = { method: 'GET', scope: 'admin', isForGuests: true } as const;
  return [
    {
      ...{ ...route, path: '/qr', problemPage, doc: pageDoc },
      async handle(exchange, { readQrPage, renderQrPage }) {
        const { response, caller, admission } = exchange;
        const viewer = {
          ...{ caller, baseUrl: admission.baseUrl, needsKey: !apiKeys.isEmpty },
          isOperator: isOperator(exchange),
        };
        const view = await readQrPage(caller);
        const opensTabs = view.status.state === 'passkey_required' && viewer.isOperator;
        const headers = opensTabs ? { ...pageHeaders, ...tabsHeader } : pageHeaders;
        send(response, 200, htmlType, renderQrPage(view, viewer), headers);
      },
    },
    ...createQrFormRoutes(handlers),
    { ...route, path: '/qr.png', doc: imageDoc, handle: answerPng },
  ];
}

/** `GET /` of the table of operations, with a page for browsers. */
export function withHomePage(routes: readonly Route[], sessions: Sessions): Route[] {
  return routes.map((route) => {
    if (route.path !== '/') return route;
    return {
      ...{ ...route, problemPage },
      async handle(exchange) {
        if (!acceptsHtml(exchange.request)) return route.handle(exchange);
        const { response, caller, admission } = exchange;
        const list = await sessions.register.list(caller, { limit: listedSessions });
        const page = homePage({
          ...{ list, baseUrl: admission.baseUrl },
          ...{ isUnbound: caller.boundTo === null, isLoggedIn: caller.via === 'cookie' },
        });
        send(response, 200, htmlType, page, pageHeaders);
      },
    };
  });
}

/** How many sessions the first page shows. The API lists all. */
const listedSessions = 100;

async function answerPng({ response }: Exchange, { name, reader }: Session): Promise<void> {
  const png = await reader.qrPng();
  if (png === null) {
    const status = pathOfSession(name, '/api/status');
    throw new ApiError('qr_not_available', `there is no QR to scan now; ask ${status} for the state`);
  }
  send(response, 200, 'image/png', png);
}

const pageDoc: RouteDoc = {
  operationId: 'qrPage',
  tag: 'Session',
  summary: 'The page that links a phone',
  description:
    'Shows what to do now, the code if there is one, and the state. The page updates itself. Opening it never starts a login.',
  responses: { 200: found('text/html', textSchema) },
  errors: ['redis_unavailable'],
};

const imageDoc: RouteDoc = {
  ...{ operationId: 'qrImage', tag: 'Session', summary: 'The code to scan, as an image of 360x360 pixels' },
  responses: { 200: found('image/png', {}) },
  errors: ['qr_not_available', 'redis_unavailable'],
};
