import { isIP } from 'node:net';
import { ApiError } from '../../contract/errors.js';
import { type Authority, isWebOrigin, parseAuthority } from '../../platform/authority.js';
import { isLoopbackAddress, isLoopbackHost, withoutBrackets } from '../../platform/loopback.js';
import { ownNames } from '../../platform/own-urls.js';
import { memoizeLast } from './coalesce.js';

/**
 * Refuses requests that pages of other web sites make in the operator's browser. Such a page has two ways. Its owner can point
 * the site's name at this machine (DNS rebinding): the Host check refuses that. Or the page sends a cross-origin request: the
 * Origin check refuses that.
 */
export interface HostOriginGuard {
  /** Throws `invalid_request`, `host_not_allowed` or `origin_not_allowed`. */
  check(request: GuardedRequest): Admission;
}

export interface GuardedRequest {
  readonly method: string;
  /** Every `Host` header, in order. */
  readonly hosts: readonly string[];
  readonly isHttp10: boolean;
  readonly origin: string | undefined;
  readonly secFetchSite: string | undefined;
}

/** What the guard knows about an admitted request. */
export interface Admission {
  /** URL of this server as the client sees it, without a slash at the end. */
  readonly baseUrl: string;
  /** The request's origin if the operator listed it. The response then gets CORS headers. */
  readonly listedOrigin: string | null;
  /** The request names an origin, and it is this server's. */
  readonly isOwnOrigin: boolean;
  /** According to the browser, a page of another, unlisted origin made the request. */
  readonly isCrossOrigin: boolean;
}

export interface GuardSettings {
  readonly host: string;
  readonly publicUrl: string | null;
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  readonly apiKeys: readonly unknown[];
  /** The machine's name. */
  readonly hostName: string;
}

const safeMethods = ['GET', 'HEAD', 'OPTIONS'];

/** The longest text of a request that an error repeats. */
const shownMax = 100;

export function originNotAllowed(origin?: string): ApiError {
  const isShown = origin !== undefined && origin.length <= shownMax && isWebOrigin(origin);
  return new ApiError(
    'origin_not_allowed',
    `web pages of this origin may not call here${isShown ? `: ${origin}` : ''}; list it in WHATSAPP_ALLOWED_ORIGINS if it is yours`,
  );
}

function hostNotAllowed(text: string): ApiError {
  const host = parseAuthority(text);
  const isShown = host !== null && text.length <= shownMax;
  return new ApiError(
    'host_not_allowed',
    `this Host is not served here${isShown ? `: ${host.name}` : ''}; list it in WHATSAPP_ALLOWED_HOSTS if it is yours`,
  );
}

export function createHostOriginGuard(settings: GuardSettings): HostOriginGuard {
  const publicUrl = settings.publicUrl === null ? null : new URL(settings.publicUrl);
  const publicBase = settings.publicUrl?.replace(/\/+$/, '') ?? null;
  const listedHosts = new Set(settings.allowedHosts.map((host) => host.toLowerCase()));
  const listedOrigins = new Set(settings.allowedOrigins);
  // Unlike a name, an address cannot be rebound. Without keys only loopback addresses are served.
  const mayBeAnyAddress = settings.apiKeys.length > 0 && !isLoopbackHost(settings.host);
  // The machine's name could be rebound by who answers for it in the local network. But every request needs a key there, and
  // a browser sends a cookie only to the name under which it logged in.
  const names = new Set([
    'localhost',
    settings.host.toLowerCase(),
    publicUrl && withoutBrackets(publicUrl.hostname),
    ...(mayBeAnyAddress ? ownNames(settings.hostName) : []),
  ]);

  function isOurs(host: Authority): boolean {
    return (
      names.has(host.name) ||
      isLoopbackAddress(host.name) ||
      (mayBeAnyAddress && isIP(host.name) !== 0) ||
      [host.name, `[${host.name}]`, host.text].some((form) => listedHosts.has(form))
    );
  }

  /** The parsed Host; null: this server does not serve it. */
  const parseOwnHost = memoizeLast((text: string) => {
    const host = parseAuthority(text);
    return host !== null && isOurs(host) ? host : null;
  });

  function isSameOrigin(origin: string, host: Authority): boolean {
    if (publicUrl?.origin === origin) return true;
    const scheme =
      publicUrl && withoutBrackets(publicUrl.hostname) === host.name ? publicUrl.protocol : 'http:';
    const own = `${scheme}//${host.text}`;
    return URL.canParse(own) && new URL(own).origin === origin;
  }

  return {
    check({ method, hosts, isHttp10, origin, secFetchSite }) {
      if (hosts.length > 1 || (hosts.length === 0 && !isHttp10)) {
        throw new ApiError('invalid_request', 'a request must carry exactly one Host header', {
          details: { issues: [{ path: 'Host', message: 'exactly one is required' }] },
        });
      }
      const host = parseOwnHost(hosts[0] ?? '');
      if (host === null) {
        throw hostNotAllowed(hosts[0] ?? '');
      }
      const isListed = origin !== undefined && listedOrigins.has(origin);
      const isOwnOrigin = origin !== undefined && isSameOrigin(origin, host);
      const isForeign = origin !== undefined && !isListed && !isOwnOrigin;
      const site = secFetchSite?.toLowerCase();
      const isCrossOrigin = !isListed && (site === 'cross-site' || (site === 'same-site' && !isOwnOrigin));
      if (isForeign && isBehindTls(origin, host)) throw schemeUnknown(origin);
      if (isForeign || (isCrossOrigin && !safeMethods.includes(method))) throw originNotAllowed(origin);
      return {
        baseUrl: publicBase ?? `http://${host.text}`,
        listedOrigin: isListed ? origin : null,
        isOwnOrigin,
        isCrossOrigin,
      };
    },
  };
}

/** The path under which a proxy serves this server, with a slash at the end: `/` without one. */
export function rootPath({ baseUrl }: Pick<Admission, 'baseUrl'>): string {
  return `${new URL(baseUrl).pathname.replace(/\/$/, '')}/`;
}

/** The page is one of this server, behind a proxy with TLS that this server has not been told of. */
function isBehindTls(origin: string, host: Authority): boolean {
  return URL.canParse(origin) && origin.startsWith('https:') && new URL(origin).host === host.text;
}

function schemeUnknown(origin: string): ApiError {
  return new ApiError(
    'origin_not_allowed',
    `this server does not know that it is reached under ${new URL(origin).origin}; set WHATSAPP_PUBLIC_URL to the URL that people open`,
  );
}
