import { ApiError } from '../../contract/errors.js';
import type { Exchange, Route } from '../core/exchange.js';
import { htmlType, pageHeaders, send } from '../core/responses.js';
import { qrLinkPage, qrLinkProblemPage } from '../pages/qr-link-page.js';
import { qrVisitAgeS } from './browser-logins.js';
import { cookieHeaders, visitCookie } from './cookies.js';
import type { AccessParts } from './login-routes.js';

/** `/link/<token>`: a page with a button, and what the button does: burn the link and show the code. */
export function createQrLinkRoutes({ visits, log }: Pick<AccessParts, 'visits' | 'log'>): Route[] {
  const route = { path: '/link/{token}', scope: 'open', problemPage: qrLinkProblemPage } as const;
  return [
    {
      ...{ ...route, method: 'GET' },
      async handle({ response, parameters }) {
        if (!(await visits.isQrLink(tokenOf(parameters)))) throw goneLink();
        send(response, 200, htmlType, qrLinkPage, pageHeaders);
      },
    },
    {
      ...{ ...route, method: 'POST' },
      async handle({ response, parameters, admission, address }: Exchange) {
        const id = await visits.openQrVisit(tokenOf(parameters));
        if (id === null) throw goneLink();
        log.info({ address }, 'a QR link was opened');
        response.writeHead(303, {
          location: '../qr',
          'set-cookie': cookieHeaders(visitCookie, id, qrVisitAgeS, admission.baseUrl),
        });
        response.end();
      },
    },
  ];
}

function tokenOf({ token = '' }: Exchange['parameters']): string {
  if (!/^[\w-]{43}$/.test(token)) throw goneLink();
  return token;
}

function goneLink(): ApiError {
  return new ApiError(
    'not_found',
    'this link was opened before, is too old, was made before a logout, or never was one',
  );
}
