import type { z } from 'zod';
import { ApiError } from '../contract/errors.js';
import { type Operation, type OperationName, operations } from '../contract/operations.js';
import { htmlType, jsonType, send, sendJson, toApiError } from './answers.js';
import type { Exchange, Route } from './exchange.js';
import { type Call, type Handlers, Json, type Result } from './handlers.js';
import { problemPage } from './pages/problem-page.js';
import { qrPage } from './pages/qr-page.js';
import { pagePolicy } from './pages/shell.js';
import { noteProblem } from './request-log.js';
import { readJsonObject } from './requests/body.js';
import { parseIdempotencyKey } from './requests/idempotency-key.js';
import { parseInput, queryReader } from './requests/input.js';
import { appliedPreferences, parsePreferences } from './requests/prefer.js';
import { parseQuery } from './requests/target.js';
import type { SessionReader } from './session/session-reader.js';

/** Everything that is served: the table's operations, the pages around the QR, and the probes. */
export function createRoutes(
  handlers: Handlers,
  reader: SessionReader,
  pingRedis: () => Promise<void>,
): Route[] {
  return [
    ...operationRoutes(handlers),
    { method: 'GET', path: '/qr', handle: (exchange) => answerPage(exchange, reader) },
    { method: 'GET', path: '/qr.png', handle: (exchange) => answerPng(exchange, reader) },
    { method: 'GET', path: '/livez', handle: async ({ response }) => sendJson(response, { ok: true }) },
    {
      method: 'GET',
      path: '/readyz',
      async handle({ response }) {
        await pingRedis();
        sendJson(response, { ok: true });
      },
    },
  ];
}

function operationRoutes(handlers: Handlers): Route[] {
  return (Object.keys(operations) as OperationName[]).flatMap((name) => {
    const operation: Operation = operations[name];
    // The table types each handler by its own input, which is what the same table's schema lets through.
    const handler = handlers[name] as (input: never, call: Call) => Promise<Result<unknown>>;
    const readFields = fieldReader(operation.input);
    return operation.routes.map(
      (route): Route => ({
        ...route,
        async handle(exchange) {
          const fields = await readFields(exchange, route.method);
          const input = parseInput(operation.input, fields);
          const call = callOf(exchange, name);
          const { body, status = 200, headers } = await handler(input as never, call);
          const json = body instanceof Json ? body.text : JSON.stringify(body);
          send(exchange.response, status, jsonType, json, headers);
        },
      }),
    );
  });
}

/** A POST's input is its body, a GET's its query; what the path names is in neither. */
function fieldReader(schema: z.ZodObject) {
  const readQuery = queryReader(schema);
  return async ({ request, target, parameters }: Exchange, method: Route['method']) => {
    const body = method === 'POST' ? await readJsonObject(request) : null;
    const query = parseQuery(target.search);
    return { ...(body ?? readQuery(query)), ...parameters };
  };
}

/** What was applied stands on the answer, whatever it becomes. */
function callOf({ request, response, requestId, admission, signal }: Exchange, name: OperationName): Call {
  const { run } = operations[name];
  const idempotencyKey =
    run === 'send' ? parseIdempotencyKey(request.headersDistinct['idempotency-key'] ?? []) : null;
  const { waitS, respondAsync } = parsePreferences(request.headers.prefer);
  const preferences = {
    waitS: run === 'http' && name !== 'startAuth' ? null : waitS,
    respondAsync: run === 'send' && respondAsync,
  };
  const applied = appliedPreferences(preferences);
  if (applied !== null) response.setHeader('preference-applied', applied);
  return {
    baseUrl: admission.baseUrl,
    preferredWaitS: preferences.waitS,
    respondAsync: preferences.respondAsync,
    idempotencyKey,
    requestId,
    signal,
  };
}

async function answerPage({ request, response, admission }: Exchange, reader: SessionReader): Promise<void> {
  const policy = { 'content-security-policy': pagePolicy };
  try {
    const page = qrPage({ ...(await reader.qrBase64()), baseUrl: admission.baseUrl, nowMs: Date.now() });
    send(response, 200, htmlType, page, policy);
  } catch (thrown) {
    const error = toApiError(thrown);
    if (!request.headers.accept?.toLowerCase().includes('text/html')) throw error;
    noteProblem(response, error);
    send(response, error.status, htmlType, problemPage(error), { ...error.headers, ...policy });
  }
}

async function answerPng({ response }: Exchange, reader: SessionReader): Promise<void> {
  const png = await reader.qrPng();
  if (png === null) {
    throw new ApiError('qr_not_available', 'there is no QR to scan now; ask /api/status for the state');
  }
  send(response, 200, 'image/png', png);
}
