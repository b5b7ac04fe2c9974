import { isIP } from 'node:net';

/** The part of a URL, and the `Host` of a request, that names a server: `gateway.lan:8790`, `[fd00::1]:80`. */
export interface Authority {
  /** Host name or address, lower case, without brackets. */
  readonly name: string;
  /** As given, lower case: with port and brackets. */
  readonly text: string;
}

/** Returns null for an invalid authority. Stricter than `new URL`, which accepts user info and turns `127.1` or `0x7f.1` into an address. */
export function parseAuthority(text: string): Authority | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d{1,5}))?$/i.exec(text);
  if (!match || Number(match[3] ?? 0) > 65_535) return null;
  if (match[1] !== undefined && isIP(match[1]) !== 6) return null;
  return { name: (match[1] ?? match[2] ?? '').toLowerCase(), text: text.toLowerCase() };
}

/** An origin as browsers send it: scheme, host and, unless it is the default, port. */
export function isWebOrigin(text: string): boolean {
  return /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}
