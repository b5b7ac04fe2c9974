import type { z } from 'zod';
import type { Operation } from '../../contract/operations/operation.js';
import { rows } from '../../contract/operations.js';
import { requireOperator } from '../auth/operator.js';
import { type BodyBound, readJsonObject } from '../core/body.js';
import type { Exchange, Route } from '../core/exchange.js';
import { appliedPreferences, headerValues, parseIdempotencyKey } from '../core/headers.js';
import { parseQuery } from '../core/request-target.js';
import { Json, jsonType, send } from '../core/responses.js';
import { invalidRequest, parseInput, queryReader } from '../core/validation.js';
import type { SessionRoute } from '../session-routes.js';
import type { Session } from '../sessions.js';
import { type AnyHandler, type Call, composeCall, type Handlers, refuseIfLoginEnded } from './call.js';

/** The REST routes of the table of operations. */
export function createOperationRoutes(handlers: Handlers): SessionRoute[] {
  return rows.flatMap(([name, operation]) => {
    const handler = handlers[name] as AnyHandler;
    const readInput = inputReader(operation.input, bodyBoundOf(operation));
    const takesNothing = Object.keys(operation.input.shape).length === 0;
    return operation.routes.map(
      (route): SessionRoute => ({
        ...route,
        scope: operation.scope,
        isLimited: operation.isLimited,
        doc: null,
        async handle(exchange, session) {
          if (operation.isForOperator) requireOperator(exchange);
          const isEmpty = takesNothing && route.method === 'GET' && exchange.target.search === '';
          const input = isEmpty ? {} : await readInput(exchange, route.method);
          const call = callOf(exchange, session, operation);
          const { body, status = operation.status ?? 200, headers } = await handler(input as never, call);
          refuseIfLoginEnded(exchange, operation);
          const json = body instanceof Json ? body.bytes : JSON.stringify(body);
          send(exchange.response, status, jsonType, json, headers);
        },
      }),
    );
  });
}

/** The limit on an operation's body: only a message to send is long. */
export function bodyBoundOf({ delivery }: Operation): BodyBound {
  return delivery === 'once' ? 'longBody' : 'body';
}

/** The input of a POST is its body, that of a GET its query. The fields that the path names come from the path. */
function inputReader(schema: z.ZodObject, bound: BodyBound) {
  const readQuery = queryReader(schema);
  return async (exchange: Exchange, method: Route['method']) => {
    const { target, parameters } = exchange;
    const body = method === 'POST' ? await readJsonObject(exchange, bound) : null;
    if (body !== null) refuseFieldsOfPath(body, parameters);
    const query = parseQuery(target.search);
    return parseInput(schema, { ...(body ?? readQuery(query)), ...parameters });
  };
}

/** A body that repeats a field of the path could contradict it. */
function refuseFieldsOfPath(body: object, parameters: Exchange['parameters']): void {
  const repeated = Object.keys(parameters).filter((name) => Object.hasOwn(body, name));
  if (repeated.length === 0) return;
  throw invalidRequest(repeated.map((path) => ({ path, message: 'belongs in the path, not in the body' })));
}

/** Builds the call. Adds `Preference-Applied` to the response, even to an error. */
function callOf(exchange: Exchange, session: Session, operation: Operation): Call {
  const isOnce = operation.delivery === 'once';
  const key = isOnce ? parseIdempotencyKey(headerValues(exchange.request, 'idempotency-key')) : null;
  const call = composeCall(exchange, session, operation, key);
  const applied = appliedPreferences({ waitS: call.preferredWaitS, respondAsync: call.respondAsync });
  if (applied !== null) exchange.response.addHeader('preference-applied', applied);
  return call;
}
