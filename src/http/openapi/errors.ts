import { bounds } from '../../contract/bounds.js';
import { type ApiErrorCode, httpStatusFor } from '../../contract/errors.js';
import { hasBody, refusalsOf } from '../../contract/operations/operation.js';
import type { Operation } from '../../contract/operations.js';
import { noPasskeyAsked } from '../../contract/passkey.js';
import type { Route } from '../core/exchange.js';
import type { JsonObject } from '../core/route-doc.js';
import { type HeaderName, headerRefs } from './headers.js';
import { errorRef } from './schemas.js';

/** The errors of each route, with an example of each. */

const everywhere: readonly ApiErrorCode[] = ['host_not_allowed', 'origin_not_allowed', 'internal_error'];
/** `rate_limited`: the caller has too many requests under way, or sent too many within a minute. */
const ofCallers: readonly ApiErrorCode[] = ['unauthorized', 'forbidden', 'rate_limited'];
const ofBodies: readonly ApiErrorCode[] = ['invalid_json', 'body_too_large', 'unsupported_media_type'];

/** The errors of one method of an operation. */
export function errorCodesOf(operation: Operation, method: string, isOfSession: boolean): ApiErrorCode[] {
  const codes = new Set<ApiErrorCode>(['invalid_request', 'redis_unavailable', ...everywhere, ...ofCallers]);
  const add = (more: readonly ApiErrorCode[]) => more.forEach((code) => void codes.add(code));
  if (hasBody(method)) add(ofBodies);
  if (isOfSession) add(['session_not_found']);
  add(refusalsOf(operation));
  return [...codes];
}

/** Headers that the responses of some codes have, beside those of their status. */
export interface HeadersOfCodes {
  readonly codes: readonly ApiErrorCode[];
  readonly headers: readonly HeaderName[];
}

/** The error responses for these codes, by status. */
export function errorResponses(
  codes: readonly ApiErrorCode[],
  further: HeadersOfCodes = { codes: [], headers: [] },
  method = '',
): Record<string, JsonObject> {
  const byStatus = new Map<number, ApiErrorCode[]>();
  for (const code of codes) {
    const status = httpStatusFor(code, method);
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus]
      .sort(([a], [b]) => a - b)
      .map(([status, group]) => {
        const hasFurther = group.some((code) => further.codes.includes(code));
        const headers = [...(headersOfStatus[status] ?? []), ...(hasFurther ? further.headers : [])];
        return [String(status), errorResponse(group, ['RequestId', ...headers])];
      }),
  );
}

/** The error responses of a route outside the table: `codes`, and those of every route of its scope. */
export function routeErrors(
  scope: Route['scope'],
  codes: readonly ApiErrorCode[],
): Record<string, JsonObject> {
  // Redis has the logins of browsers.
  const ofScope = scope === 'open' ? [] : [...ofCallers, 'redis_unavailable' as const];
  return errorResponses([...new Set([...everywhere, ...ofScope, ...codes])]);
}

const headersOfStatus: Readonly<Record<number, readonly HeaderName[]>> = {
  401: ['Challenge'],
  429: ['RetryAfter'],
  503: ['RetryAfter'],
};

function errorResponse(codes: readonly ApiErrorCode[], headers: readonly HeaderName[]): JsonObject {
  const schema = {
    allOf: [errorRef, { properties: { error: { properties: { code: { enum: codes } } } } }],
  };
  const examples = Object.fromEntries(codes.map((code) => [code, { value: exampleOf(code) }]));
  return {
    description: codes.map((code) => `\`${code}\``).join(', '),
    headers: headerRefs(headers),
    content: { 'application/json': { schema, examples } },
  };
}

function exampleOf(code: ApiErrorCode): JsonObject {
  return { error: { code, message: sentences[code], ...details[code] } };
}

const details: Partial<Record<ApiErrorCode, JsonObject>> = {
  invalid_request: {
    issues: [
      {
        path: 'phone_number',
        message: 'phone_number must include country code and contain 8-15 digits',
      },
    ],
  },
  session_not_ready: { state: 'disconnected' },
};

/** An example sentence for each code. The real sentence may say more. */
const sentences: Record<ApiErrorCode, string> = {
  invalid_request: 'phone_number must include country code and contain 8-15 digits',
  invalid_json: 'the body is not valid JSON in UTF-8',
  unauthorized: 'an API key is required',
  forbidden: 'this API key does not allow that',
  host_not_allowed: 'this Host is not served here',
  origin_not_allowed: 'web pages of this origin may not call here',
  not_found: 'there is nothing at this path',
  qr_not_available: 'there is no QR to scan now',
  job_not_found: 'there is no such job, or it settled more than 24 h ago',
  chat_not_found: 'there is no such chat',
  message_not_found: 'there is no such message',
  session_not_found: 'there is no session sales; PUT /api/sessions/sales makes it',
  too_many_sessions: 'there are 10000 sessions, as many as there may be; DELETE one first',
  key_not_found: 'there is no API key of this name',
  method_not_allowed: 'this path answers another method',
  session_not_started: 'the session is not started',
  login_required: 'the phone is not linked yet',
  login_failed: 'the login failed',
  passkey_not_pending: noPasskeyAsked('ready'),
  passkey_superseded: 'WhatsApp has made a new request since; use that one',
  passkey_not_acceptable: 'WhatsApp would refuse this answer: it was not made on https://web.whatsapp.com',
  passkey_code_differs: 'this is not the code that WhatsApp Web shows: read it on the phone again',
  idempotency_conflict: 'this idempotency key was used for another request',
  key_name_taken: 'an API key has this name already; choose another, or delete that one first',
  key_is_configured: 'this key is configured: remove it from WHATSAPP_API_KEYS, and restart the replicas',
  too_many_keys: `there are ${bounds.apiKeys} API keys already; delete those that nobody uses`,
  body_too_large: `a body may have at most ${bounds.body} bytes here`,
  unsupported_media_type: 'the body must be application/json, UTF-8, not compressed',
  not_on_whatsapp: 'this number is not on WhatsApp',
  rate_limited: 'too many requests',
  queue_full: 'the queue of the session is full',
  internal_error: 'something unexpected went wrong; see the log',
  not_supported_by_page:
    'WhatsApp has changed its page, so this is not possible: on WhatsApp Web 2.3000.1043121234: chats broken (WAWebCollections.Chat.getModelsArray is missing)',
  whatsapp_error: 'WhatsApp Web could not do this',
  session_not_ready: 'the session is not ready',
  redis_unavailable: 'Redis does not answer',
  timeout: 'WhatsApp Web did not answer in time',
};
