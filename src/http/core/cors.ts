import type { IncomingMessage } from 'node:http';

/** CORS, for the origins that the operator listed and for no other. */

const requestHeaders = [
  ...[
    'Content-Type',
    'Prefer',
    'X-Request-Id',
    'Idempotency-Key',
    'Authorization',
    'X-API-Key',
    'Last-Event-ID',
  ],
  ...['Mcp-Session-Id', 'Mcp-Protocol-Version', 'Mcp-Method', 'Mcp-Name'],
].join(', ');
const answerHeaders =
  'Location, Preference-Applied, Retry-After, X-Request-Id, Idempotent-Replayed, Mcp-Session-Id';

export function crossOriginHeaders(listedOrigin: string): [name: string, value: string][] {
  return [
    ['access-control-allow-origin', listedOrigin],
    ['access-control-expose-headers', answerHeaders],
  ];
}

export function preflightHeaders(
  request: IncomingMessage,
  listedOrigin: string | null,
  methods: readonly string[],
): Record<string, string> {
  if (listedOrigin === null || request.headers['access-control-request-method'] === undefined) return {};
  return {
    'access-control-allow-methods': methods.join(', '),
    'access-control-allow-headers': requestHeaders,
    'access-control-max-age': '600',
  };
}
