import type { IncomingMessage } from 'node:http';
import { bounds, type OnBound } from '../../contract/bounds.js';

/** The login of a browser, and the visit of whoever opened a QR link. */
export const loginCookie = 'holdline_session';
export const visitCookie = 'holdline_qr';

/** Both begin on every id's way in; none of other shape was ever given out. */
const idPattern = /^[\w-]{43}$/;

/** What browsers let nobody but this very host set, over TLS: not another host of the same domain, and not a plain page. */
const guardedPrefixes = ['__Host-', '__Secure-'];

/**
 * Every id under this name, once each, in the order in which they are to be tried: any host of the same domain can add
 * cookies of the plain name, and must not be able to hide the one that we gave.
 */
export function readCookies({ headers }: IncomingMessage, name: string, onBound: OnBound): string[] {
  const given = headers.cookie;
  if (given === undefined) return [];
  const pairs = given.split(';').map((pair) => pair.trim());
  const names = [...guardedPrefixes.map((prefix) => prefix + name), name];
  const ids = names.flatMap((each) =>
    pairs.filter((pair) => pair.startsWith(`${each}=`)).map((pair) => pair.slice(each.length + 1)),
  );
  const distinct = [...new Set(ids)].filter((id) => idPattern.test(id));
  if (distinct.length <= bounds.cookiesTried) return distinct;
  onBound('cookiesTried');
  return distinct.slice(0, bounds.cookiesTried);
}

/** Whether there is such a cookie at all, also one that is no id. */
export function hasCookie({ headers }: IncomingMessage, name: string): boolean {
  return new RegExp(`(^|[; ])(${guardedPrefixes.join('|')})?${name}=`).test(headers.cookie ?? '');
}

/**
 * For this product's own pages only, and never for a script; a value `''` takes it away. Under https the name says that no
 * other host may set it: `__Host-` where the host is all ours, `__Secure-` where others have other paths of it and must not
 * be sent it. The plain name of an earlier version goes then.
 */
export function cookieHeaders(name: string, value: string, maxAgeS: number, baseUrl: string): string[] {
  const { protocol, pathname } = new URL(baseUrl);
  const plain = setCookie(name, value, maxAgeS, pathname);
  if (protocol !== 'https:') return [plain];
  const guarded = `${pathname === '/' ? '__Host-' : '__Secure-'}${name}`;
  return [
    `${setCookie(guarded, value, maxAgeS, pathname)}; Secure`,
    `${setCookie(name, '', 0, pathname)}; Secure`,
  ];
}

function setCookie(name: string, value: string, maxAgeS: number, path: string): string {
  const age = value === '' ? 0 : maxAgeS;
  return `${name}=${value}; Max-Age=${age}; Path=${path}; HttpOnly; SameSite=Strict`;
}
