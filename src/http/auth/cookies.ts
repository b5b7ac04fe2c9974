import type { IncomingMessage } from 'node:http';
import { bounds, type OnBound } from '../../contract/bounds.js';
import { defaultSession } from '../../contract/names.js';
import { isToken } from './tokens.js';

/** Cookie of a browser that logged in with an API key. */
export const loginCookie = 'holdline_session';
const guestCookies = 'holdline_qr';

/** Cookie of a guest, who opened a QR link of this session. One browser can be a guest of several sessions. */
export function guestCookie(session: string): string {
  return session === defaultSession ? guestCookies : `${guestCookies}_${session}`;
}

/** Earlier versions gave the cookie of `default` to guests of any session. */
export function guestCookiesRead(session: string): string[] {
  return [...new Set([guestCookie(session), guestCookies])];
}

/** Browsers accept these prefixes only over TLS. With `__Host-` only this very host can set the cookie, no other host of the domain. */
const protectedPrefixes = ['__Host-', '__Secure-'];

/**
 * All distinct ids in cookies of this name, in the order in which to try them. Any host of the same domain can add cookies with the
 * plain name. These must not hide the cookie that this server set.
 */
export function readCookies({ headers }: IncomingMessage, name: string, onBound: OnBound): string[] {
  const given = headers.cookie;
  if (given === undefined) return [];
  const pairs = given.split(';').map((pair) => pair.trim());
  const names = [...protectedPrefixes.map((prefix) => prefix + name), name];
  const ids = names.flatMap((each) =>
    pairs.filter((pair) => pair.startsWith(`${each}=`)).map((pair) => pair.slice(each.length + 1)),
  );
  const distinct = [...new Set(ids)].filter(isToken);
  if (distinct.length <= bounds.cookiesTried) return distinct;
  onBound('cookiesTried');
  return distinct.slice(0, bounds.cookiesTried);
}

/** Whether the request has a cookie of a login with a key, or of a guest; valid or not. */
export function hasLoginCookie(request: IncomingMessage): boolean {
  return hasCookie(request, loginCookie);
}

export function hasGuestCookie(request: IncomingMessage): boolean {
  return hasCookie(request, `${guestCookies}(_[a-z0-9-]+)?`);
}

function hasCookie({ headers }: IncomingMessage, name: string): boolean {
  return new RegExp(`(^|[; ])(${protectedPrefixes.join('|')})?${name}=`).test(headers.cookie ?? '');
}

/**
 * The `Set-Cookie` headers for a cookie that only requests of this product's pages carry and that no script can read. The value
 * `''` deletes it. Under https its name has a prefix: `__Host-` if this product has the whole host, `__Secure-` if other services
 * have other paths of the host and must not get the cookie. Then the cookie with the plain name, which an earlier version set, is
 * deleted.
 */
export function cookieHeaders(name: string, value: string, maxAgeS: number, baseUrl: string): string[] {
  const { protocol, pathname } = new URL(baseUrl);
  const plain = setCookie(name, value, maxAgeS, pathname);
  if (protocol !== 'https:') return [plain];
  const protectedName = `${pathname === '/' ? '__Host-' : '__Secure-'}${name}`;
  return [
    `${setCookie(protectedName, value, maxAgeS, pathname)}; Secure`,
    `${setCookie(name, '', 0, pathname)}; Secure`,
  ];
}

function setCookie(name: string, value: string, maxAgeS: number, path: string): string {
  const age = value === '' ? 0 : maxAgeS;
  return `${name}=${value}; Max-Age=${age}; Path=${path}; HttpOnly; SameSite=Strict`;
}
