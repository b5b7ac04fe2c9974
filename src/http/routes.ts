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
import { knownFields, parseInput } from './requests/input.js';
import { parsePreferredWait } from './requests/prefer.js';
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
    return operation.routes.map(
      (route): Route => ({
        ...route,
        async handle(exchange) {
          const input = await readInput(exchange, route.method, operation.input);
          const { body, appliedWaitS } = await handler(input as never, {
            baseUrl: exchange.admission.baseUrl,
            preferredWaitS: parsePreferredWait(exchange.request.headers.prefer),
            signal: exchange.signal,
          });
          const headers: Record<string, string> =
            appliedWaitS === undefined ? {} : { 'preference-applied': `wait=${appliedWaitS}` };
          const json = body instanceof Json ? body.text : JSON.stringify(body);
          send(exchange.response, 200, jsonType, json, headers);
        },
      }),
    );
  });
}

async function readInput(
  { request, target }: Exchange,
  method: Route['method'],
  schema: z.ZodObject,
): Promise<Record<string, unknown>> {
  const body = method === 'POST' ? await readJsonObject(request) : null;
  const query = parseQuery(target.search);
  return parseInput(schema, body ?? knownFields(schema, query));
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
