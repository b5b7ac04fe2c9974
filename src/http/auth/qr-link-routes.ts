import { ApiError } from '../../contract/errors.js';
import type { Exchange } from '../core/exchange.js';
import { htmlType, send } from '../core/responses.js';
import { found, type RouteDoc, textSchema } from '../core/route-doc.js';
import { pageHeaders } from '../pages/layout.js';
import { qrLinkPage, qrLinkProblemPage } from '../pages/qr-link-page.js';
import type { QrPageView } from '../session/qr-page-view.js';
import type { SessionRoute } from '../session-routes.js';
import { guestLoginTtlS } from './browser-logins.js';
import { cookieHeaders, guestCookie } from './cookies.js';
import type { LoginParts } from './login-routes.js';
import { isToken } from './tokens.js';

export function qrLinkPath(token: string): string {
  return `/link/${token}`;
}

/** GET shows a page with a button. The button's POST uses up the link, unless the session is not started, and redirects to the QR. */
export function createQrLinkRoutes({ logins, log }: Pick<LoginParts, 'logins' | 'log'>): SessionRoute[] {
  const route = { path: qrLinkPath('{token}'), scope: 'open', problemPage: qrLinkProblemPage } as const;
  return [
    {
      ...{ ...route, method: 'GET', doc: pageDoc },
      async handle({ response, parameters }, { name }) {
        if (!(await logins.isQrLink(name, tokenOf(parameters)))) throw invalidLink();
        send(response, 200, htmlType, qrLinkPage, pageHeaders);
      },
    },
    {
      ...{ ...route, method: 'POST', doc: buttonDoc },
      async handle({ response, parameters, admission, address }, { name, readQrPage }) {
        const token = tokenOf(parameters);
        if (!(await logins.isQrLink(name, token))) throw invalidLink();
        const usesUp = mayShowCode(await readQrPage());
        const id = await logins.openGuestLogin(name, token, usesUp);
        if (id === null) throw invalidLink();
        log.info({ address }, 'a QR link was opened');
        response.writeHead(303, {
          location: '../qr',
          'set-cookie': cookieHeaders(guestCookie, id, guestLoginTtlS, admission.baseUrl),
        });
        response.end();
      },
    },
  ];
}

const shared = {
  tag: 'Session',
  parameters: [
    { name: 'token', in: 'path', required: true, description: 'the end of the link', schema: textSchema },
  ],
  errors: ['not_found', 'redis_unavailable'],
} as const;

const pageDoc: RouteDoc = {
  ...{
    ...shared,
    operationId: 'qrLinkPage',
    summary: 'The page that a QR link opens: a button that shows the code',
  },
  responses: { 200: found('text/html', textSchema) },
};

const buttonDoc: RouteDoc = {
  ...{
    ...shared,
    operationId: 'qrLinkOpen',
    summary: 'The button of that page: uses up the link and shows the code',
  },
  responses: {
    303: {
      description:
        'Redirects to `/qr`, with a cookie that gives access to the code and its events for 10 min',
    },
  },
};

function tokenOf({ token = '' }: Exchange['parameters']): string {
  if (!isToken(token)) throw invalidLink();
  return token;
}

/** There is a code, or one can come without anybody's action. A link that is opened earlier can be opened again. */
function mayShowCode({ status, heartbeat, start }: QrPageView): boolean {
  return start !== 'none' || (heartbeat !== 'ended' && status.state !== 'stopped');
}

function invalidLink(): ApiError {
  return new ApiError(
    'not_found',
    'this link has been used, has expired, was made before a logout, or never existed',
  );
}
