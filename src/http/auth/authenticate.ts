import type { IncomingMessage } from 'node:http';
import type { OnBound } from '../../contract/bounds.js';
import { ApiError } from '../../contract/errors.js';
import { sessionOfPath } from '../../contract/names.js';
import type { Authenticate } from '../core/app.js';
import type { Caller } from '../core/caller.js';
import { type Admission, originNotAllowed } from '../core/host-origin-guard.js';
import { type ApiKeys, presentedKey, unauthorized } from './api-keys.js';
import type { BrowserLogins } from './browser-logins.js';
import { guestCookie, loginCookie, readCookies } from './cookies.js';
import type { LoginWatch } from './login-watch.js';

/** The caller of every request if no keys are configured. The server then listens on loopback only. */
export const localAdmin: Caller = { keyName: '', scope: 'admin', via: 'configuration', boundTo: null };

interface AuthenticateParts {
  readonly apiKeys: ApiKeys;
  readonly logins: Pick<BrowserLogins, 'find'>;
  readonly loginWatch: Pick<LoginWatch, 'add'>;
  readonly onBound: OnBound;
}

/**
 * Identifies the caller: by the key in a header, which takes no I/O, or by a cookie, which takes one round trip to Redis.
 *
 * Throws `unauthorized`. Throws `origin_not_allowed` if a request with a cookie would change something and does not come from a
 * page of this server. Without configured keys, it also throws that for every request that a page of another origin makes:
 * otherwise any web site could act as the admin through a browser on this machine.
 */
export function createAuthenticate(parts: AuthenticateParts): Authenticate {
  const { apiKeys, logins, loginWatch, onBound } = parts;
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
      return { keyName: key.name, scope: key.scope, via: 'key', boundTo: null };
    }
    const loginIds = readCookies(request, loginCookie, onBound);
    const guestIds = readCookies(request, guestCookie, onBound);
    if (loginIds.length + guestIds.length > 0 && isOwnRequest(request, admission)) {
      const session = sessionOfPath(parameters);
      const login = await logins.find(session, loginIds, guestIds);
      if (login !== null) {
        const watchLogin = (onEnd: () => void) => loginWatch.add(login, onEnd);
        if (login.kind === 'guest')
          return { keyName: '', scope: 'guest', via: 'cookie', boundTo: [session], watchLogin };
        const { name: keyName, scope } = login.apiKey;
        return { keyName, scope, via: 'cookie', boundTo: null, watchLogin };
      }
    }
    throw unauthorized('an API key is required: Authorization: Bearer <key>, or X-API-Key: <key>');
  };
}

/**
 * Whether the cookies of this request may identify its caller. A browser adds them to the requests of any page, and cookies ignore
 * ports: another service on this host is the same site. So a request that changes something must come from this server's origin,
 * else this throws `origin_not_allowed`. A read that another page embeds is treated as one without cookies.
 */
function isOwnRequest({ method, headers }: IncomingMessage, { isOwnOrigin }: Admission): boolean {
  const site = headers['sec-fetch-site'];
  if (isRead(method)) {
    return site === undefined || site === 'same-origin' || site === 'none' || isNavigation(headers);
  }
  if (isOwnOrigin && (site === undefined || site === 'same-origin')) return true;
  throw new ApiError(
    'origin_not_allowed',
    'a login cookie allows changes only from the pages of this product; use an API key',
  );
}

function isRead(method: string | undefined): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** The request opens a page in a tab: a person followed a link or typed the address. */
function isNavigation(headers: IncomingMessage['headers']): boolean {
  return headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
}
