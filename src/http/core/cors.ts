import type { IncomingMessage } from 'node:http';

/** CORS headers, for the origins that the operator listed and no others. */
export interface Cors {
  /** For every response to a listed origin. */
  headers(listedOrigin: string): [name: string, value: string][];
  /** For the response to an OPTIONS request. Empty unless the request is a preflight of a listed origin. */
  preflightHeaders(
    request: IncomingMessage,
    listedOrigin: string | null,
    methods: readonly string[],
  ): Record<string, string>;
}

/** Headers that cross-origin requests may send, and whose values their pages may read. */
export interface CorsHeaderNames {
  readonly request: readonly string[];
  readonly response: readonly string[];
}

const common: CorsHeaderNames = {
  request: [
    'Content-Type',
    'Prefer',
    'X-Request-Id',
    'Idempotency-Key',
    'Authorization',
    'X-API-Key',
    'Last-Event-ID',
  ],
  response: ['Location', 'Preference-Applied', 'Retry-After', 'X-Request-Id', 'Idempotent-Replayed'],
};

/** `more`: names besides the common ones of this API. */
export function createCors(more: CorsHeaderNames): Cors {
  const allowedHeaders = [...common.request, ...more.request].join(', ');
  const exposedHeaders = [...common.response, ...more.response].join(', ');
  return {
    headers: (listedOrigin) => [
      ['access-control-allow-origin', listedOrigin],
      ['access-control-expose-headers', exposedHeaders],
    ],
    preflightHeaders(request, listedOrigin, methods): Record<string, string> {
      if (listedOrigin === null || request.headers['access-control-request-method'] === undefined) return {};
      return {
        'access-control-allow-methods': methods.join(', '),
        'access-control-allow-headers': allowedHeaders,
        'access-control-max-age': '600',
      };
    },
  };
}
