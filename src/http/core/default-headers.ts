import { type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { ServedRequest } from './served-request.js';

/**
 * Nothing here is for another site to frame, sniff, embed or cache: codes and states are secrets of the moment.
 */
export const defaultHeaders: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/** Name, value, name, value, … */
const standing = Object.entries(defaultHeaders).flat();

/**
 * The response of every request. Whoever writes its head, what stands on all answers and what was added on the way goes
 * with it, in one list: header after header by `setHeader` costs several times as much.
 */
export class ResponseWithDefaults extends ServerResponse {
  served: ServedRequest | null = null;
  readonly #added: string[] = [];

  /** For the head, whatever the answer becomes. `name` in lower case, and not given before. */
  addHeader(name: string, value: string): void {
    this.#added.push(name, value);
  }

  /** Of headers that also stand on every answer (names in lower case), those given here count. */
  override writeHead(status: number, headers?: unknown): this {
    const own = (headers ?? {}) as OutgoingHttpHeaders;
    const all: OutgoingHttpHeader[] = this.#added;
    for (let i = 0; i < standing.length; i += 2) {
      const name = standing[i] as string;
      if (own[name] === undefined) all.push(name, standing[i + 1] as string);
    }
    for (const name in own) all.push(name, own[name] ?? '');
    return super.writeHead(status, all);
  }
}
