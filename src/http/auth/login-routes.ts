import type { ApiKey } from '../../contract/access.js';
import type { OnBound } from '../../contract/bounds.js';
import { defaultSession, isSessionName, qrPagePath } from '../../contract/names.js';
import type { Logger } from '../../platform/logger.js';
import { readForm } from '../core/body.js';
import type { Exchange, Route } from '../core/exchange.js';
import { htmlType, send } from '../core/responses.js';
import { formBody, found, type RouteDoc, textSchema } from '../core/route-doc.js';
import { pageHeaders } from '../pages/layout.js';
import { loginPage } from '../pages/login-page.js';
import { problemPage } from '../pages/problem-page.js';
import { type ApiKeys, unauthorized } from './api-keys.js';
import { type BrowserLogins, loginTtlS } from './browser-logins.js';
import { cookieHeaders, loginCookie, readCookies } from './cookies.js';
import type { LoginWatch } from './login-watch.js';
import type { MadeKeys } from './made-keys.js';
import type { RateLimits } from './rate-limits.js';

export interface LoginParts {
  readonly apiKeys: ApiKeys;
  readonly madeKeys: MadeKeys;
  readonly logins: BrowserLogins;
  readonly loginWatch: LoginWatch;
  readonly limits: RateLimits;
  readonly log: Logger;
  readonly onBound: OnBound;
}

/** `/login`, which takes an API key and sets a cookie, and `/signout`, which deletes it. */
export function createLoginRoutes({
  apiKeys,
  madeKeys,
  logins,
  loginWatch,
  limits,
  log,
  onBound,
}: LoginParts): Route[] {
  async function logIn(exchange: Exchange): Promise<void> {
    const { response, admission, address, target } = exchange;
    await limits.countLoginAttempt(address);
    const text = (await readForm(exchange)).get('key')?.trim() ?? '';
    const key = apiKeys.find(text) ?? (await madeKeys.find(text));
    if (key === null) {
      log.warn({ address }, 'refused a login');
      throw unauthorized('this API key is not known here');
    }
    if (apiKeys.isEmpty) return toQr(response);
    const id = await logins.openLogin(key);
    await limits.resetLoginAttempts(address);
    log.info({ address, key: key.name, scope: key.scope }, 'a browser logged in');
    response.writeHead(303, {
      location: reachable(nextIn(target.search), key),
      'set-cookie': cookieHeaders(loginCookie, id, loginTtlS, admission.baseUrl),
    });
    response.end();
  }

  return [
    {
      ...{ method: 'GET', path: '/login', scope: 'open', doc: pageDoc },
      problemPage: (error) => loginPage({ next: 'qr', error }),
      async handle({ request, response, target }) {
        if (apiKeys.isEmpty) toQr(response);
        else {
          const page = loginPage({
            ...{ next: nextIn(target.search), ended: endedIn(target.search) },
            mayBeLoggedIn: mayLackCookies(request),
          });
          send(response, 200, htmlType, page, pageHeaders);
        }
      },
    },
    {
      ...{ method: 'POST', path: '/login', scope: 'open', doc: loginDoc },
      problemPage: (error, { target }) => loginPage({ next: nextIn(target.search), error }),
      handle: logIn,
    },
    {
      ...{ method: 'POST', path: '/signout', scope: 'read', problemPage, doc: signOutDoc },
      async handle({ request, response, admission, caller }) {
        if (caller.via === 'cookie') await logins.closeLogins(readCookies(request, loginCookie, onBound));
        // Ends its streams here; other replicas notice at their next check.
        void loginWatch.check();
        response.writeHead(303, {
          location: 'login',
          'set-cookie': cookieHeaders(loginCookie, '', 0, admission.baseUrl),
        });
        response.end();
      },
    },
  ];
}

/** Without configured keys no login is needed, and none has a meaning. */
function toQr(response: Exchange['response']): void {
  response.writeHead(303, { location: 'qr' }).end();
}

const pageDoc: RouteDoc = {
  ...{ operationId: 'loginPage', tag: 'About', summary: 'A page that asks for an API key' },
  responses: {
    200: found('text/html', textSchema),
    303: { description: 'The server has no API keys, so no login is needed. Redirects to `/qr`' },
  },
};

const loginDoc: RouteDoc = {
  ...{
    operationId: 'login',
    tag: 'About',
    summary: 'The form of that page: takes a key, sets a cookie for 12 h',
  },
  requestBody: formBody(['key'], { key: textSchema }),
  responses: { 303: { description: 'Logged in. Redirects to the page that `next` names' } },
  errors: ['unauthorized', 'rate_limited', 'unsupported_media_type', 'body_too_large', 'redis_unavailable'],
};

const signOutDoc: RouteDoc = {
  ...{ operationId: 'signOut', tag: 'About', summary: 'Ends the login of this browser' },
  responses: { 303: { description: 'Redirects to the login' } },
  errors: ['redis_unavailable'],
};

/** What ended, if that is why the browser was redirected here. */
function endedIn(search: string): 'login' | 'link' | null {
  const ended = new URLSearchParams(search).get('ended');
  return ended === 'login' || ended === 'link' ? ended : null;
}

/** The page to open after the login. Only pages of this product are allowed, because anybody can make a link to the login. */
function nextIn(search: string): string {
  const next = new URLSearchParams(search).get('next');
  if (next === '' || next === '.') return '.';
  const session = /^sessions\/([^/]+)\/qr$/.exec(next ?? '')?.[1];
  const isKnown = next === 'docs' || (session !== undefined && isSessionName(session));
  return isKnown ? (next as string) : 'qr';
}

/** The page of `default` does not exist for a key that is bound to other sessions: the first page, or that of its only session. */
function reachable(next: string, { sessions }: ApiKey): string {
  if (next !== 'qr' || sessions === null || sessions.includes(defaultSession)) return next;
  const [only = '', ...others] = sessions;
  return others.length > 0 ? '.' : qrPagePath(only).slice(1);
}

/** The browser followed a link of another site, and so left its cookies out. */
function mayLackCookies({ headers }: Exchange['request']): boolean {
  return !['none', 'same-origin'].includes(String(headers['sec-fetch-site']));
}
