import type { IncomingMessage } from 'node:http';
import type { ApiError } from '../../contract/errors.js';
import type { Exchange, Route } from '../core/exchange.js';
import { htmlType, send, sendError } from '../core/responses.js';
import { pageHeaders } from '../pages/layout.js';
import { guestCookie, hasCookie, loginCookie } from './cookies.js';

/**
 * Sends an error as JSON, or as HTML if a browser asked for a page. A browser that is not logged in is redirected to the login.
 * `route`: undefined if the request matches none.
 */
export function sendProblem(
  { request, response }: Pick<Exchange, 'request' | 'response'>,
  error: ApiError,
  route: Route | undefined,
): void {
  if (route?.problemPage === undefined || !acceptsHtml(request)) return sendError(response, error);
  const [path = '', ...search] = (request.url ?? '').split('?');
  if (error.code === 'unauthorized' && route.scope !== 'open') {
    response.writeHead(303, { location: `login?next=${path.slice(1)}${endedParameter(request)}` }).end();
    return;
  }
  const page = route.problemPage(error, { path, search: search.join('?') });
  send(response, error.status, htmlType, page, { ...error.headers, ...pageHeaders });
}

/**
 * A query parameter for the login page: what ended, if the browser still has its cookie. Without it a live page would turn into a
 * login form without an explanation.
 */
function endedParameter(request: IncomingMessage): string {
  if (hasCookie(request, loginCookie)) return '&ended=login';
  return hasCookie(request, guestCookie) ? '&ended=link' : '';
}

function acceptsHtml({ headers }: IncomingMessage): boolean {
  return headers.accept?.toLowerCase().includes('text/html') === true;
}
