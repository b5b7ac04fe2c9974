import type { IncomingMessage } from 'node:http';

/** The login of a browser, and the visit of whoever opened a QR link. */
export const loginCookie = 'holdline_session';
export const visitCookie = 'holdline_qr';

/** null where it is missing, or given twice: nobody knows then whose the second is. */
export function readCookie({ headers }: IncomingMessage, name: string): string | null {
  const values = (headers.cookie ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
  return values.length === 1 ? (values[0] ?? null) : null;
}

/** For this product's own pages only, and never for a script. A value `''` takes it away. */
export function cookieHeader(name: string, value: string, maxAgeS: number, baseUrl: string): string {
  const { protocol, pathname } = new URL(baseUrl);
  return [
    `${name}=${value}`,
    `Max-Age=${value === '' ? 0 : maxAgeS}`,
    `Path=${pathname}`,
    'HttpOnly',
    'SameSite=Strict',
    ...(protocol === 'https:' ? ['Secure'] : []),
  ].join('; ');
}
