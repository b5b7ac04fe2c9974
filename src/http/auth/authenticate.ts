import type { IncomingMessage } from 'node:http';
import type { OnBound } from '../../contract/bounds.js';
import { ApiError } from '../../contract/errors.js';
import { sessionOfPath } from '../../contract/names.js';
import type { Caller } from '../core/caller.js';
import type { Exchange } from '../core/exchange.js';
import { type Admission, originNotAllowed } from '../core/host-origin-guard.js';
import { type ApiKeys, presentedKey, unauthorized } from './api-keys.js';
import type { BrowserLogins } from './browser-logins.js';
import { guestCookie, loginCookie, readCookies } from './cookies.js';

/** Without keys the server listens on loopback only, and whoever reaches it is its owner. */
export const localAdmin: Caller = { keyName: '', scope: 'admin', via: 'configuration' };

/**
 * Identifies the caller: by a key in a header, in memory, or by a cookie, with one round trip to Redis.
 * Throws `unauthorized`. Throws `origin_not_allowed` for a change with a cookie that does not come from this server's own pages,
 * and, where no keys are configured, for what a page of another origin embeds or requests: the browser on this machine would
 * otherwise count as the owner.
 */
export type Authenticate = (
  request: IncomingMessage,
  admission: Admission,
  parameters: Exchange['parameters'],
) => Caller | Promise<Caller>;

export function createAuthenticate(apiKeys: ApiKeys, logins: BrowserLogins, onBound: OnBound): Authenticate {
  if (apiKeys.isEmpty) {
    return ({ method, headers }, { isCrossOrigin }) => {
      if (isCrossOrigin && method !== 'OPTIONS' && !(isRead(method) && isNavigation(headers)))
        throw originNotAllowed();
      return localAdmin;
    };
  }
  return async (request, admission, parameters) => {
    const presented = presentedKey(request);
    if (presented !== null) {
      const key = apiKeys.find(presented);
      if (key === null) throw unauthorized('this API key is not known here');
      return { keyName: key.name, scope: key.scope, via: 'key' };
    }
    const loginIds = readCookies(request, loginCookie, onBound);
    const guestIds = readCookies(request, guestCookie, onBound);
    if (loginIds.length + guestIds.length > 0 && isOwnRequest(request, admission)) {
      const login = await logins.find(sessionOfPath(parameters), loginIds, guestIds);
      if (login?.kind === 'guest') return { keyName: '', scope: 'guest', via: 'cookie', login };
      if (login) return { keyName: login.owner.name, scope: login.owner.scope, via: 'cookie', login };
    }
    throw unauthorized('an API key is required: Authorization: Bearer <key>, or X-API-Key: <key>');
  };
}

/**
 * Whether the cookies of this request may count. A browser adds them whatever page made the request, and cookies ignore ports:
 * another service on this host is the same site. So a change must name this server's origin, else this throws
 * `origin_not_allowed`; for what another page embeds, cookies do not count.
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

/** Somebody followed a link. */
function isNavigation(headers: IncomingMessage['headers']): boolean {
  return headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
}
