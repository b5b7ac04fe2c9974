import type { IncomingMessage } from 'node:http';
import type { ApiError } from '../../contract/errors.js';
import type { Exchange, Route } from '../core/exchange.js';
import { acceptsHtml } from '../core/headers.js';
import { rootPath } from '../core/host-origin-guard.js';
import { htmlType, send, sendError } from '../core/responses.js';
import { pageHeaders } from '../pages/layout.js';
import { placeOf } from '../pages/place.js';
import { strayPage } from '../pages/problem-page.js';
import { hasGuestCookie, hasLoginCookie } from './cookies.js';

/**
 * Sends an error as JSON, or as HTML if a browser asked for a page or for a path that does not exist. A browser that is not logged
 * in is redirected to the login. `route`: undefined if the request matches none.
 */
export function sendProblem(exchange: Exchange, error: ApiError, route: Route | undefined): void {
  const { request, response, admission, caller } = exchange;
  const makePage = isStray(error, route) ? strayPage : route?.problemPage;
  if (makePage === undefined || !acceptsHtml(request)) return sendError(response, error);
  const [path = '', ...search] = (request.url ?? '').split('?');
  if (error.code === 'unauthorized' && route?.scope !== 'open') {
    // A path that does not exist may be any number of levels deep.
    const base = route === undefined ? rootPath(admission) : placeOf(path).root;
    const next = route === undefined ? '' : path.slice(1);
    response.writeHead(303, { location: `${base}login?next=${next}${endedParameter(request)}` }).end();
    return;
  }
  const target = { path, search: search.length === 0 ? '' : `?${search.join('?')}` };
  const page = makePage(error, { target, admission, caller });
  send(response, error.status, htmlType, page, { ...error.headers, ...pageHeaders });
}

/** The request reached no route because of its path, or no page because of its Host. */
function isStray({ code }: ApiError, route: Route | undefined): boolean {
  if (code === 'host_not_allowed') return route === undefined || route.problemPage !== undefined;
  return route === undefined && (code === 'not_found' || code === 'unauthorized');
}

/**
 * A query parameter for the login page: what ended, if the browser still has its cookie. Without it a live page would turn into a
 * login form without an explanation.
 */
function endedParameter(request: IncomingMessage): string {
  if (hasLoginCookie(request)) return '&ended=login';
  return hasGuestCookie(request) ? '&ended=link' : '';
}
