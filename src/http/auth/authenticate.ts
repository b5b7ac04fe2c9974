import type { IncomingMessage } from 'node:http';
import type { OnBound } from '../../contract/bounds.js';
import { ApiError } from '../../contract/errors.js';
import { sessionOfPath } from '../../contract/names.js';
import type { Authenticate } from '../core/app.js';
import type { Caller } from '../core/caller.js';
import { type Admission, originNotAllowed } from '../core/host-origin-guard.js';
import { type ApiKeys, presentedKey, unauthorized } from './api-keys.js';
import type { BrowserLogins } from './browser-logins.js';
import { guestCookiesRead, loginCookie, readCookies } from './cookies.js';
import type { Grant } from './grants.js';
import type { LoginWatch } from './login-watch.js';
import type { MadeKeys } from './made-keys.js';

/** The caller of every request without a key if no keys are configured. The server then listens on loopback only. */
export const localAdmin: Caller = { keyName: '', scope: 'admin', via: 'configuration', boundTo: null };

interface AuthenticateParts {
  readonly apiKeys: ApiKeys;
  readonly madeKeys: Pick<MadeKeys, 'find'>;
  readonly logins: Pick<BrowserLogins, 'find'>;
  readonly loginWatch: Pick<LoginWatch, 'add'>;
  readonly onBound: OnBound;
}

/**
 * Identifies the caller: by the key in a header, which takes no I/O if the key is configured, else one round trip to Redis; or by a
 * cookie, which takes one or two. Without configured keys, whoever brings none may do everything, and cookies mean nothing.
 *
 * Throws `unauthorized`. Throws `origin_not_allowed` if a request with a cookie would change something and does not come from a
 * page of this server. Without configured keys, it also throws that for every request without a key that a page of another origin
 * makes: otherwise any web site could act as the admin through a browser on this machine.
 */
export function createAuthenticate(parts: AuthenticateParts): Authenticate {
  const { apiKeys, madeKeys, logins, loginWatch, onBound } = parts;
  const watch = (grant: Grant) => (onEnd: () => void) => loginWatch.add(grant, onEnd);

  function callerWith(presented: string): Caller | Promise<Caller> {
    const key = apiKeys.find(presented);
    if (key === null) return callerWithMadeKey(presented);
    return { keyName: key.name, scope: key.scope, via: 'key', boundTo: key.sessions };
  }

  async function callerWithMadeKey(presented: string): Promise<Caller> {
    const key = await madeKeys.find(presented);
    if (key === null) throw unauthorized('this API key is not known here');
    const { name: keyName, scope, sessions: boundTo, sha256: madeKey } = key;
    return { keyName, madeKey, scope, via: 'key', boundTo, watchLogin: watch({ madeKey, login: null }) };
  }

  if (apiKeys.isEmpty) {
    return (request, { isCrossOrigin }) => {
      const presented = presentedKey(request);
      if (presented !== null) return callerWith(presented);
      const { method, headers } = request;
      if (isCrossOrigin && method !== 'OPTIONS' && !(isRead(method) && isNavigation(headers)))
        throw originNotAllowed();
      return localAdmin;
    };
  }
  return async (request, admission, parameters) => {
    const presented = presentedKey(request);
    if (presented !== null) return callerWith(presented);
    const loginIds = readCookies(request, loginCookie, onBound);
    const session = sessionOfPath(parameters);
    const guestIds = guestCookiesRead(session).flatMap((name) => readCookies(request, name, onBound));
    if (loginIds.length + guestIds.length > 0 && isOwnRequest(request, admission)) {
      const found = await logins.find(session, loginIds, guestIds);
      if (found !== null) {
        const watchLogin = watch(found);
        if (found.login.kind === 'guest')
          return { keyName: '', scope: 'guest', via: 'cookie', boundTo: [session], watchLogin };
        const { name: keyName, scope, sessions: boundTo } = found.apiKey;
        const madeKey = found.madeKey === null ? {} : { madeKey: found.madeKey };
        return { keyName, ...madeKey, scope, via: 'cookie', boundTo, watchLogin };
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
