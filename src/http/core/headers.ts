import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { ApiError } from '../../contract/errors.js';

/** The request headers that this API reads, parsed. */

/** All values of one header, in order. `name` is in lower case. Cheaper than `headersDistinct`, which collects every header. */
export function headerValues({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>, name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const given = rawHeaders[i] as string;
    if (given.length === name.length && given.toLowerCase() === name)
      values.push(rawHeaders[i + 1] as string);
  }
  return values;
}

/** The client is a browser that wants a page. Programs get JSON. */
export function acceptsHtml({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return headers.accept?.toLowerCase().includes('text/html') === true;
}

/** The client's `X-Request-Id` if it has 1-128 printable ASCII characters, else a new UUID. */
export function requestIdOf(header: string | string[] | undefined): string {
  return typeof header === 'string' && /^[ -~]{1,128}$/.test(header) ? header : randomUUID();
}

/** An `Idempotency-Key`: printable ASCII. */
export const idempotencyKeyPattern = /^[ -~]{1,255}$/;
const idempotencyKeyRule = 'must have 1-255 printable ASCII characters';

/** `headers`: all `Idempotency-Key` headers of a request. Returns null if there is none. Throws `invalid_request`. */
export function parseIdempotencyKey(headers: readonly string[]): string | null {
  const [key, ...more] = headers;
  if (key === undefined) return null;
  if (more.length === 0 && idempotencyKeyPattern.test(key)) return key;
  const message = more.length > 0 ? 'given more than once' : idempotencyKeyRule;
  throw new ApiError('invalid_request', `Idempotency-Key: ${idempotencyKeyRule}`, {
    details: { issues: [{ path: 'Idempotency-Key', message }] },
  });
}

const waitMaxS = 120;
const noPreferences: Preferences = { waitS: null, respondAsync: false };

/** The client's `Prefer` header (RFC 7240). An invalid preference is ignored and is no error. */
export interface Preferences {
  /** `wait=N`, in seconds, 0-120; null if absent or invalid. */
  readonly waitS: number | null;
  /** `respond-async`: the client wants the URL of the result at once, instead of waiting for the result. */
  readonly respondAsync: boolean;
}

export function parsePreferences(header: string | string[] | undefined): Preferences {
  if (header === undefined) return noPreferences;
  let wait: string | null = null;
  let respondAsync = false;
  for (const preference of [header].flat().join(',').split(',')) {
    const [name, value] = (preference.split(';', 1)[0] ?? '').split('=').map((part) => part.trim());
    if (name?.toLowerCase() === 'respond-async') respondAsync = true;
    if (name?.toLowerCase() === 'wait') wait ??= value ?? '';
  }
  return { waitS: parseWait(wait ?? ''), respondAsync };
}

/** The value of `Preference-Applied`; null if no preference applies. */
export function appliedPreferences({ waitS, respondAsync }: Preferences): string | null {
  if (!respondAsync && waitS === null) return null;
  const applied = [respondAsync ? ['respond-async'] : [], waitS === null ? [] : [`wait=${waitS}`]].flat();
  return applied.join(', ');
}

function parseWait(value: string): number | null {
  const digits = /^(?:"(\d{1,3})"|(\d{1,3}))$/.exec(value);
  const seconds = Number(digits?.[1] ?? digits?.[2] ?? Number.NaN);
  return seconds <= waitMaxS ? seconds : null;
}
