import type { OnBound } from '../../contract/bounds.js';
import type { Logger } from '../../platform/logger.js';
import { readForm } from '../core/body.js';
import type { Exchange, Route } from '../core/exchange.js';
import { htmlType, pageHeaders, send } from '../core/responses.js';
import { loginPage } from '../pages/login-page.js';
import { problemPage } from '../pages/problem-page.js';
import { type ApiKeys, unauthorized } from './api-keys.js';
import { loginAgeS, type Visits } from './browser-logins.js';
import { cookieHeaders, loginCookie, readCookies } from './cookies.js';
import type { VisitWatch } from './login-watch.js';
import type { Limits } from './rate-limits.js';

export interface AccessParts {
  readonly apiKeys: ApiKeys;
  readonly visits: Visits;
  readonly visitWatch: VisitWatch;
  readonly limits: Limits;
  readonly log: Logger;
  readonly onBound: OnBound;
}

/** `/login`, which takes a key and gives the browser a cookie, and `/signout`, which takes it away. */
export function createLoginRoutes({
  apiKeys,
  visits,
  visitWatch,
  limits,
  log,
  onBound,
}: AccessParts): Route[] {
  async function logIn(exchange: Exchange): Promise<void> {
    const { response, admission, address, target } = exchange;
    await limits.tryLogin(address);
    const key = apiKeys.find((await readForm(exchange)).get('key')?.trim() ?? '');
    if (key === null) {
      log.warn({ address }, 'a login was refused');
      throw unauthorized('this API key is not known here');
    }
    const id = await visits.openLogin(key);
    await limits.forgiveLogins(address);
    log.info({ address, key: key.name, scope: key.scope }, 'a browser logged in');
    response.writeHead(303, {
      location: nextOf(target.search),
      'set-cookie': cookieHeaders(loginCookie, id, loginAgeS, admission.baseUrl),
    });
    response.end();
  }

  return [
    {
      ...{ method: 'GET', path: '/login', scope: 'open' },
      problemPage: (error) => loginPage({ next: 'qr', error }),
      async handle({ response, target }) {
        // Without keys there is nothing to log in with.
        if (apiKeys.isEmpty) response.writeHead(303, { location: 'qr' }).end();
        else {
          const page = loginPage({ next: nextOf(target.search), ended: endedOf(target.search) });
          send(response, 200, htmlType, page, pageHeaders);
        }
      },
    },
    {
      ...{ method: 'POST', path: '/login', scope: 'open' },
      problemPage: (error, { search }) => loginPage({ next: nextOf(search), error }),
      handle: logIn,
    },
    {
      ...{ method: 'POST', path: '/signout', scope: 'read', problemPage },
      async handle({ request, response, admission, caller }) {
        if (caller.via === 'cookie') await visits.closeLogins(readCookies(request, loginCookie, onBound));
        // Elsewhere the next look finds it ended.
        void visitWatch.look();
        response.writeHead(303, {
          location: 'login',
          'set-cookie': cookieHeaders(loginCookie, '', 0, admission.baseUrl),
        });
        response.end();
      },
    },
  ];
}

/** What the browser's cookie stood for, when it was turned away. */
function endedOf(search: string): 'login' | 'link' | null {
  const ended = new URLSearchParams(search).get('ended');
  return ended === 'login' || ended === 'link' ? ended : null;
}

/** Our own pages and nothing else: whoever made the link to the login may have written anything there. */
function nextOf(search: string): string {
  const next = new URLSearchParams(search).get('next') ?? '';
  return ['qr', 'docs'].includes(next) ? next : 'qr';
}
