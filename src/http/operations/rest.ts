import type { z } from 'zod';
import { sessionOfPath } from '../../contract/names.js';
import { hasBody, type Method, type Operation } from '../../contract/operations/operation.js';
import { isOfDeployment, rows } from '../../contract/operations.js';
import { requireOperator } from '../auth/operator.js';
import { type BodyBound, readJsonObject } from '../core/body.js';
import { mayReach } from '../core/caller.js';
import type { Exchange, Route } from '../core/exchange.js';
import { appliedPreferences, headerValues, parseIdempotencyKey } from '../core/headers.js';
import { parseQuery } from '../core/request-target.js';
import { Json, jsonType, send } from '../core/responses.js';
import { invalidRequest, parseInput, queryReader } from '../core/validation.js';
import { sessionNotFound } from '../session/session-register.js';
import { atSessionPaths } from '../session-routes.js';
import type { Session, Sessions } from '../sessions.js';
import {
  type AnyHandler,
  type Call,
  composeCall,
  composeDeploymentCall,
  type DeploymentCall,
  type Handlers,
  refuseIfLoginEnded,
} from './call.js';

/** The REST routes of the table of operations. */
export function createOperationRoutes(handlers: Handlers, sessions: Pick<Sessions, 'find'>): Route[] {
  return rows.flatMap(([name, operation]) => {
    const respond = responder(handlers[name] as AnyHandler, operation);
    return operation.routes.flatMap(({ method, path, isOfDefault }) => {
      const { scope, isForUnbound, isLimited } = operation;
      const permission = { scope, ...(isForUnbound && { isForUnbound }) };
      const shared = { method, path, ...permission, isLimited, doc: null };
      if (isOfDeployment(name)) {
        return {
          ...shared,
          async handle(exchange: Exchange) {
            const { session } = exchange.parameters;
            if (session !== undefined && !mayReach(exchange.caller, session))
              throw sessionNotFound(session, exchange.caller);
            await respond(exchange, method, null);
          },
        };
      }
      const route: Route = {
        ...shared,
        async handle(exchange) {
          const session = await sessions.find(exchange.caller, sessionOfPath(exchange.parameters));
          await respond(exchange, method, session);
        },
      };
      return isOfDefault ? route : atSessionPaths(route);
    });
  });
}

/** Reads the input, calls the handler and sends the answer. `session`: null for an operation that is of none. */
function responder(handler: AnyHandler, operation: Operation) {
  const readInput = inputReader(operation.input, bodyBoundOf(operation));
  const takesNothing = Object.keys(operation.input.shape).length === 0;
  return async (exchange: Exchange, method: Method, session: Session | null): Promise<void> => {
    if (operation.isForOperator) requireOperator(exchange);
    const isEmpty = takesNothing && method === 'GET' && exchange.target.search === '';
    const input = isEmpty ? {} : await readInput(exchange, method);
    const call = callOf(exchange, session, operation);
    const { body, status = operation.status ?? 200, headers } = await handler(input as never, call);
    refuseIfLoginEnded(exchange, operation);
    const json = body instanceof Json ? body.bytes : JSON.stringify(body);
    send(exchange.response, status, jsonType, json, headers);
  };
}

/** The limit on an operation's body: only a message to send is long. */
export function bodyBoundOf({ delivery }: Operation): BodyBound {
  return delivery === 'once' ? 'longBody' : 'body';
}

/**
 * The input of a POST or PUT is its body, that of a GET or DELETE its query. The fields that the path names come from the path, except
 * the session of an operation that does not take it as an input.
 */
function inputReader(schema: z.ZodObject, bound: BodyBound) {
  const readQuery = queryReader(schema);
  return async (exchange: Exchange, method: Method) => {
    const { target, parameters } = exchange;
    const body = hasBody(method) ? await readJsonObject(exchange, bound) : null;
    if (body !== null) refuseFieldsOfPath(body, parameters);
    const query = parseQuery(target.search);
    // Ignored as any unknown parameter, it would make the call one of another account.
    if (query.session !== undefined && !Object.hasOwn(schema.shape, 'session'))
      throw invalidRequest([{ path: 'session', message: 'belongs in the path: /api/sessions/NAME/…' }]);
    const named = Object.entries(parameters).filter(([name]) => Object.hasOwn(schema.shape, name));
    return parseInput(schema, { ...(body ?? readQuery(query)), ...Object.fromEntries(named) });
  };
}

/** A body that repeats a field of the path could contradict it. */
function refuseFieldsOfPath(body: object, parameters: Exchange['parameters']): void {
  const repeated = Object.keys(parameters).filter((name) => Object.hasOwn(body, name));
  if (repeated.length === 0) return;
  throw invalidRequest(repeated.map((path) => ({ path, message: 'belongs in the path, not in the body' })));
}

/** Builds the call. Adds `Preference-Applied` to the response, even to an error. */
function callOf(exchange: Exchange, session: Session | null, operation: Operation): Call | DeploymentCall {
  const isOnce = operation.delivery === 'once';
  const key = isOnce ? parseIdempotencyKey(headerValues(exchange.request, 'idempotency-key')) : null;
  const call =
    session === null
      ? composeDeploymentCall(exchange, operation, key)
      : composeCall(exchange, session, operation, key);
  const applied = appliedPreferences({ waitS: call.preferredWaitS, respondAsync: call.respondAsync });
  if (applied !== null) exchange.response.addHeader('preference-applied', applied);
  return call;
}
