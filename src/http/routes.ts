import type { z } from 'zod';
import { ApiError } from '../contract/errors.js';
import { type Operation, type OperationName, operations } from '../contract/operations.js';
import type { MetricsPage } from '../platform/metrics/metrics-page.js';
import { lapsed } from './auth/api-keys.js';
import { type AccessParts, createLoginRoutes } from './auth/login-routes.js';
import { createQrLinkRoutes } from './auth/qr-link-routes.js';
import { type BodyBound, bodyBoundOf, readJsonObject } from './core/body.js';
import type { Exchange, Route } from './core/exchange.js';
import { headerValues } from './core/header-values.js';
import { appliedPreferences, parsePreferences } from './core/headers.js';
import { parseIdempotencyKey } from './core/idempotency-key.js';
import { Json } from './core/json.js';
import { parseQuery } from './core/request-target.js';
import { htmlType, jsonType, pageHeaders, send, sendJson } from './core/responses.js';
import { parseInput, queryReader } from './core/validation.js';
import { createDocsRoutes } from './docs/docs-routes.js';
import type { EventFeed } from './events/event-feed.js';
import { eventsRoute } from './events/events-route.js';
import type { Call, Handlers, Result } from './handlers.js';
import { createMcpRoute } from './mcp/route.js';
import { createMetricsRoute } from './metrics-route.js';
import { createOpenApiRoute } from './openapi/route.js';
import { problemPage } from './pages/problem-page.js';
import { createQrPageCache } from './pages/qr-page-cache.js';
import type { SessionReader } from './session/session-reader.js';

export interface RouteParts extends AccessParts {
  readonly handlers: Handlers;
  readonly reader: SessionReader;
  readonly feed: EventFeed;
  readonly metrics: MetricsPage;
  pingRedis(): Promise<void>;
}

/** Everything that is served: the table's operations, the pages around the QR, events, tools, docs and the probes. */
export function createRoutes(parts: RouteParts): Route[] {
  const { handlers, reader, feed, apiKeys, log, onBound } = parts;
  const shownPage = createQrPageCache();
  const qr = { method: 'GET', scope: 'admin', isForQrVisitors: true } as const;
  const probe = { method: 'GET', scope: 'open' } as const;
  return [
    ...operationRoutes(handlers),
    {
      ...{ ...qr, path: '/qr', problemPage },
      async handle({ response, caller, admission: { baseUrl } }) {
        const viewer = { caller, baseUrl, needsKey: !apiKeys.isEmpty };
        send(response, 200, htmlType, shownPage(await reader.qrBase64(), viewer), pageHeaders);
      },
    },
    { ...qr, path: '/qr.png', handle: (exchange) => answerPng(exchange, reader) },
    { ...probe, path: '/livez', handle: async ({ response }) => sendJson(response, { ok: true }) },
    {
      ...{ ...probe, path: '/readyz' },
      async handle({ response }) {
        await parts.pingRedis();
        sendJson(response, { ok: true });
      },
    },
    ...createLoginRoutes(parts),
    ...createQrLinkRoutes(parts),
    eventsRoute(feed),
    createMcpRoute({ handlers, log, onBound }),
    createOpenApiRoute(),
    createMetricsRoute(parts.metrics),
    ...createDocsRoutes(),
  ];
}

function operationRoutes(handlers: Handlers): Route[] {
  return (Object.keys(operations) as OperationName[]).flatMap((name) => {
    const operation: Operation = operations[name];
    // The table types each handler by its own input, which is what the same table's schema lets through.
    const handler = handlers[name] as (input: never, call: Call) => Promise<Result<unknown>>;
    const readInput = inputReader(operation.input, bodyBoundOf(operation));
    const takesNothing = Object.keys(operation.input.shape).length === 0;
    return operation.routes.map(
      (route): Route => ({
        ...route,
        scope: operation.scope,
        isLimited: operation.isLimited,
        async handle(exchange) {
          const saysNothing = takesNothing && route.method === 'GET' && exchange.target.search === '';
          const input = saysNothing ? {} : await readInput(exchange, route.method);
          const call = callOf(exchange, name);
          const { body, status = 200, headers } = await handler(input as never, call);
          // That a message was accepted is told to whoever asked for it: else it would be sent again.
          if (exchange.hasLapsed && operation.run !== 'send') throw lapsed();
          const json = body instanceof Json ? body.bytes : JSON.stringify(body);
          send(exchange.response, status, jsonType, json, headers);
        },
      }),
    );
  });
}

/** A POST's input is its body, a GET's its query; what the path names is in neither. */
function inputReader(schema: z.ZodObject, bound: BodyBound) {
  const readQuery = queryReader(schema);
  return async (exchange: Exchange, method: Route['method']) => {
    const { target, parameters } = exchange;
    const body = method === 'POST' ? await readJsonObject(exchange, bound) : null;
    const query = parseQuery(target.search);
    return parseInput(schema, { ...(body ?? readQuery(query)), ...parameters });
  };
}

/** What was applied stands on the answer, whatever it becomes. */
function callOf(exchange: Exchange, name: OperationName): Call {
  const { request, response, requestId, admission, caller } = exchange;
  const { run } = operations[name];
  const idempotencyKey =
    run === 'send' ? parseIdempotencyKey(headerValues(request, 'idempotency-key')) : null;
  const { waitS, respondAsync } = parsePreferences(request.headers.prefer);
  const preferences = {
    waitS: run === 'http' && name !== 'startAuth' ? null : waitS,
    respondAsync: run === 'send' && respondAsync,
  };
  const applied = appliedPreferences(preferences);
  if (applied !== null) response.addHeader('preference-applied', applied);
  return {
    baseUrl: admission.baseUrl,
    preferredWaitS: preferences.waitS,
    respondAsync: preferences.respondAsync,
    idempotencyKey,
    requestId,
    keyName: caller.keyName,
    callerName: exchange.callerName,
    waiter: exchange,
  };
}

async function answerPng({ response }: Exchange, reader: SessionReader): Promise<void> {
  const png = await reader.qrPng();
  if (png === null) {
    throw new ApiError('qr_not_available', 'there is no QR to scan now; ask /api/status for the state');
  }
  send(response, 200, 'image/png', png);
}
