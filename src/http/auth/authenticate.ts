import type { IncomingMessage } from 'node:http';
import type { OnBound } from '../../contract/bounds.js';
import { ApiError } from '../../contract/errors.js';
import { type Admission, originNotAllowed } from '../core/host-origin-guard.js';
import { type ApiKeys, presentedKey, unauthorized } from './api-keys.js';
import { anybody, type Caller } from './authorize.js';
import type { Visits } from './browser-logins.js';
import { loginCookie, readCookies, visitCookie } from './cookies.js';

/**
 * Tells who asks. A key in a header is compared here; a cookie costs one round trip to Redis. Throws
 * `unauthorized`; `origin_not_allowed` for a change by cookie that does not come from our own pages, and, where nobody needs a
 * key, for whatever another site's page embeds: its browser is on this machine, and so would be somebody who may do everything.
 */
export type Authenticate = (request: IncomingMessage, admission: Admission) => Caller | Promise<Caller>;

export function createAuthenticate(apiKeys: ApiKeys, visits: Visits, onBound: OnBound): Authenticate {
  if (apiKeys.isEmpty) {
    return ({ method, headers }, { isFromElsewhere }) => {
      if (isFromElsewhere && method !== 'OPTIONS' && !(isRead(method) && isNavigation(headers)))
        throw originNotAllowed();
      return anybody;
    };
  }
  return async (request, admission) => {
    const presented = presentedKey(request);
    if (presented !== null) {
      const key = apiKeys.find(presented);
      if (key === null) throw unauthorized('this API key is not known here');
      return { keyName: key.name, scope: key.scope, via: 'key' };
    }
    const loginIds = readCookies(request, loginCookie, onBound);
    const visitIds = readCookies(request, visitCookie, onBound);
    if (loginIds.length + visitIds.length > 0 && isOwnRequest(request, admission)) {
      const visit = await visits.find(loginIds, visitIds);
      if (visit?.kind === 'qr') return { keyName: '', scope: 'qr', via: 'cookie', visit };
      if (visit) return { keyName: visit.owner.name, scope: visit.owner.scope, via: 'cookie', visit };
    }
    throw unauthorized('an API key is required: Authorization: Bearer <key>, or X-API-Key: <key>');
  };
}

/**
 * A browser adds its cookies whatever page made it ask, and knows no ports: another service on this host is the
 * same site to it. So a change must name our own origin, and what an unknown page embeds gets no answer.
 */
function isOwnRequest({ method, headers }: IncomingMessage, { isOwnOrigin }: Admission): boolean {
  const site = headers['sec-fetch-site'];
  if (isRead(method)) {
    return site === undefined || site === 'same-origin' || site === 'none' || isNavigation(headers);
  }
  if (isOwnOrigin && (site === undefined || site === 'same-origin')) return true;
  throw new ApiError(
    'origin_not_allowed',
    'with a login cookie, changes are taken from the pages of this product only; use an API key',
  );
}

function isRead(method: string | undefined): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** A link that somebody followed. */
function isNavigation(headers: IncomingMessage['headers']): boolean {
  return headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
}
