import { type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { ApiError } from '../../contract/errors.js';
import { jsonType, send } from '../../platform/http-response.js';

/** Response bodies, the headers of every response, and how they are sent. */

/** No other site may frame, sniff or embed a response, and no cache may store it: it may contain secrets. */
const defaultHeaders: Readonly<Record<string, string>> = {
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
const flatDefaultHeaders = Object.entries(defaultHeaders).flat();

/**
 * The response class of the server. `writeHead` adds the default headers and those of {@link addHeader} as one list: calling
 * `setHeader` for each of them would cost several times as much.
 */
export class ResponseWithDefaults extends ServerResponse {
  /** The state of the request. app.ts sets and reads it. */
  served: object | null = null;
  readonly #added: string[] = [];

  /** Adds a header to the response, be it a success or an error. `name` is in lower case. Call it once for each name. */
  addHeader(name: string, value: string): void {
    this.#added.push(name, value);
  }

  /** `headers` (names in lower case) replace default headers of the same name. */
  override writeHead(status: number, headers?: unknown): this {
    const own = (headers ?? {}) as OutgoingHttpHeaders;
    const all: OutgoingHttpHeader[] = this.#added;
    for (let i = 0; i < flatDefaultHeaders.length; i += 2) {
      const name = flatDefaultHeaders[i] as string;
      if (own[name] === undefined) all.push(name, flatDefaultHeaders[i + 1] as string);
    }
    for (const name in own) all.push(name, own[name] ?? '');
    return super.writeHead(status, all);
  }
}

export { jsonType, send };
export const htmlType = 'text/html; charset=utf-8';

/** JSON text of a value of type T, and its bytes, encoded once. */
export class Json<T> {
  declare readonly type: T;
  readonly text: string;
  #bytes: Buffer | null = null;

  constructor(text: string) {
    this.text = text;
  }

  get bytes(): Buffer {
    this.#bytes ??= Buffer.from(this.text);
    return this.#bytes;
  }
}

export function sendJson(response: ServerResponse, value: unknown, headers?: Record<string, string>): void {
  send(response, 200, jsonType, JSON.stringify(value), headers);
}

export function sendError(response: ServerResponse, error: ApiError): void {
  send(response, error.status, jsonType, JSON.stringify(error), error.headers);
}

/** A whole HTTP response as text. For a socket without a response object, because its request could not be parsed. */
export function rawErrorResponse(status: number, reason: string, error: ApiError, requestId: string): string {
  const body = JSON.stringify(error);
  const headers: Record<string, string | number> = {
    ...defaultHeaders,
    ...error.headers,
    'x-request-id': requestId,
    'content-type': jsonType,
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${reason}\r\n${lines.join('')}\r\n${body}`;
}
