import type { ServerResponse } from 'node:http';
import { ZodError } from 'zod';
import { ApiError } from '../../contract/errors.js';
import { jsonType, send } from '../../platform/http-response.js';
import { pagePolicy } from '../pages/layout.js';
import { defaultHeaders } from './default-headers.js';

/** The bodies of the API, and how they are sent. */

/**
 * Of our own pages. They send forms, and a browser that may not name where a form came from says the origin `null`:
 * hence another referrer policy than elsewhere.
 */
export const pageHeaders: Readonly<Record<string, string>> = {
  'content-security-policy': pagePolicy,
  'referrer-policy': 'same-origin',
};

export { jsonType, send };
export const htmlType = 'text/html; charset=utf-8';

export function sendJson(response: ServerResponse, value: unknown, headers?: Record<string, string>): void {
  send(response, 200, jsonType, JSON.stringify(value), headers);
}

export function sendError(response: ServerResponse, error: ApiError): void {
  send(response, error.status, jsonType, JSON.stringify(error), error.headers);
}

/** Whatever was thrown, as what may be told. What nobody expected is told without its message. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const what =
    error instanceof ZodError || error instanceof SyntaxError
      ? 'what Redis holds of this session cannot be read; a session that runs writes it anew within seconds, POST /api/auth/start otherwise'
      : 'something unexpected went wrong; see the log';
  return new ApiError('internal_error', what, { cause: error });
}

/** An answer for a socket that has no response object: what came is not even a request. */
export function rawErrorAnswer(status: number, reason: string, error: ApiError, requestId: string): string {
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
