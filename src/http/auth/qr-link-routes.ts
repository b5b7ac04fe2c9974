import { ApiError } from '../../contract/errors.js';
import { qrPagePath } from '../../contract/names.js';
import { saysFull } from '../../contract/places.js';
import type { Exchange, Route } from '../core/exchange.js';
import { htmlType, send } from '../core/responses.js';
import { found, type RouteDoc, textSchema } from '../core/route-doc.js';
import { pageHeaders } from '../pages/layout.js';
import { invalidLinkSentence, qrLinkPage, qrLinkProblemPage, UsedLinkError } from '../pages/qr-link-page.js';
import type { QrPageView } from '../session/qr-page-view.js';
import type { Sessions } from '../sessions.js';
import { guestLoginTtlS } from './browser-logins.js';
import { cookieHeaders, guestCookie } from './cookies.js';
import type { LoginParts } from './login-routes.js';
import { isToken } from './tokens.js';

export function qrLinkPath(token: string): string {
  return `/link/${token}`;
}

interface QrLinkParts extends Pick<LoginParts, 'logins' | 'log'> {
  readonly sessions: Pick<Sessions, 'find'>;
}

/** GET shows a page with a button. The button's POST uses up the link, unless the session is not started, and redirects to the QR. */
export function createQrLinkRoutes({ sessions, logins, log }: QrLinkParts): Route[] {
  const route = { path: qrLinkPath('{token}'), scope: 'open', problemPage: qrLinkProblemPage } as const;
  const sessionOf = async ({ parameters: { token = '' } }: Exchange) => {
    if (!isToken(token)) throw invalidLink();
    const session = await logins.sessionOfQrLink(token);
    if (session === null) throw await cannotBeOpened(token);
    return { session, token };
  };
  const cannotBeOpened = async (token: string): Promise<ApiError> => {
    const used = await logins.sessionOfUsedLink(token);
    return used === null ? invalidLink() : new UsedLinkError(used);
  };
  return [
    {
      ...{ ...route, method: 'GET', doc: pageDoc },
      async handle(exchange) {
        await sessionOf(exchange);
        send(exchange.response, 200, htmlType, qrLinkPage, pageHeaders);
      },
    },
    {
      ...{ ...route, method: 'POST', doc: buttonDoc },
      async handle(exchange) {
        const { response, admission, address } = exchange;
        const { session, token } = await sessionOf(exchange);
        const { readQrPage } = await sessions.find(exchange.caller, session).catch((error) => {
          throw error instanceof ApiError && error.code === 'session_not_found' ? invalidLink() : error;
        });
        const usesUp = mayShowCode(await readQrPage(exchange.caller));
        const id = await logins.openGuestLogin(session, token, usesUp);
        if (id === null) throw await cannotBeOpened(token);
        log.info({ session, address }, 'a QR link was opened');
        response.writeHead(303, {
          location: `..${qrPagePath(session)}`,
          'set-cookie': cookieHeaders(guestCookie(session), id, guestLoginTtlS, admission.baseUrl),
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
        'Redirects to the page with the code, with a cookie that gives access to the code and its events for 10 min',
    },
  },
};

/** There is a code, or one can come without anybody's action. A link that is opened earlier can be opened again. */
function mayShowCode({ status, heartbeat, start }: QrPageView): boolean {
  if (saysFull(status.last_error)) return false;
  return start !== 'none' || (heartbeat !== 'ended' && status.state !== 'stopped');
}

function invalidLink(): ApiError {
  return new ApiError('not_found', invalidLinkSentence);
}
