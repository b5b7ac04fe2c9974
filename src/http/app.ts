import type { IncomingMessage, ServerResponse } from 'node:http';
import polka, { type Request } from 'polka';
import { ApiError } from '../contract/errors.js';
import type { Logger } from '../platform/logger.js';
import { type Caller, nobody, permit } from './access/caller.js';
import type { AddressOf } from './access/client-address.js';
import type { Gate } from './access/gate.js';
import type { Limits } from './access/limits.js';
import { htmlType, pageHeaders, send, sendError, standingHeaders, toApiError } from './answers.js';
import { crossOriginHeaders, preflightHeaders } from './cross-origin.js';
import { type Exchange, type Route, signalOf } from './exchange.js';
import { followRequest, noteCaller, noteProblem } from './request-log.js';
import type { Guard } from './requests/guard.js';
import { pathPattern } from './requests/path-pattern.js';
import { requestIdOf } from './requests/request-id.js';
import { parseTarget, type Target } from './requests/target.js';

export interface App {
  handle(request: IncomingMessage, response: ServerResponse): void;
}

export interface AppParts {
  readonly routes: readonly Route[];
  readonly guard: Guard;
  readonly gate: Gate;
  readonly limits: Limits;
  readonly addressOf: AddressOf;
  /** Whether the operator listed any origin; without, no answer says a word about CORS. */
  readonly offersCors: boolean;
  readonly log: Logger;
  readonly closing: AbortSignal;
}

/**
 * From a request to its answer. The order of refusals is part of the API: Host and Origin, then who asks, 404, 405,
 * what they may, 429, 415, 413, 400, and last what the session's state forbids.
 */
export function createApp(parts: AppParts): App {
  const { routes, guard, gate, limits, addressOf, offersCors, log, closing } = parts;
  const exchanges = new WeakMap<IncomingMessage, Exchange>();
  const patterns = new Map(routes.map(({ path }) => [path, pathPattern(path)]));

  const router = polka({
    onError: (error, request, response) => fail(request, response, error),
    onNoMatch(request) {
      const allowed = methodsOf(exchanges.get(request)?.target.path ?? '');
      if (allowed.length === 0) throw new ApiError('not_found', 'there is nothing at this path');
      throw new ApiError('method_not_allowed', `this path answers ${allowed.join(', ')}`, {
        headers: { allow: allowed.join(', ') },
      });
    },
  });
  for (const route of routes) {
    const pattern = pathPattern(route.path);
    router.add(route.method, pattern, async (request) => {
      const exchange = exchanges.get(request);
      if (!exchange) return;
      permit(exchange.caller, route);
      if (route.isLimited) await exchange.spend();
      const parameters = pattern.exec(exchange.target.path)?.groups ?? {};
      await route.handle({ ...exchange, parameters });
    });
  }

  function routesAt(path: string): Route[] {
    return routes.filter((route) => patterns.get(route.path)?.test(path));
  }

  function methodsOf(path: string): string[] {
    const methods = routesAt(path).map(({ method }) => method);
    if (methods.length === 0) return [];
    return ['GET', 'HEAD', 'POST', 'OPTIONS'].filter(
      (method) =>
        method === 'OPTIONS' ||
        methods.some((known) => known === method || (method === 'HEAD' && known === 'GET')),
    );
  }

  async function admit(
    request: IncomingMessage,
    response: ServerResponse,
    requestId: string,
  ): Promise<Exchange> {
    const { headers } = request;
    const admission = guard.check({
      method: request.method ?? '',
      hosts: request.headersDistinct.host ?? [],
      isHttp10: request.httpVersion === '1.0',
      origin: headers.origin,
      secFetchSite: headers['sec-fetch-site'] as string | undefined,
    });
    response.setHeaders(new Map(Object.entries(crossOriginHeaders(admission.listedOrigin))));
    const target =
      request.method === 'OPTIONS' && request.url === '*'
        ? { path: '*', search: '' }
        : parseTarget(request.url ?? '');
    const signal = signalOf(response, closing);
    const address = addressOf(request);
    // What a path answers to is no secret, and a browser asks for it without any key.
    const asksNobody =
      request.method === 'OPTIONS' || routesAt(target.path).some(({ scope }) => scope === 'open');
    const caller: Caller = asksNobody ? nobody : await gate(request, admission);
    noteCaller(response, caller);
    const spend = () => limits.spend(caller, address);
    return {
      ...{ request, response, requestId, admission, caller, address, spend },
      ...{ target, parameters: {}, signal },
    };
  }

  function answerOptions({ request, response, target, admission }: Exchange): void {
    const allowed = target.path === '*' ? ['GET', 'HEAD', 'POST', 'OPTIONS'] : methodsOf(target.path);
    if (allowed.length === 0) throw new ApiError('not_found', 'there is nothing at this path');
    response.writeHead(204, {
      allow: allowed.join(', '),
      ...preflightHeaders(request, admission.listedOrigin, allowed),
    });
    response.end();
  }

  function fail(request: IncomingMessage, response: ServerResponse, thrown: unknown): void {
    const error = toApiError(thrown);
    noteProblem(response, error);
    if (response.headersSent) {
      request.destroy();
      return;
    }
    const page = wantsPage(request) ? pageAt(request) : null;
    if (page === null) return sendError(response, error);
    const { route, target } = page;
    if (error.code === 'unauthorized' && route.scope !== 'open') {
      response.writeHead(303, { location: `login?next=${target.path.slice(1)}` }).end();
      return;
    }
    const headers = { ...error.headers, ...pageHeaders };
    send(response, error.status, htmlType, route.problemPage(error, target), headers);
  }

  function pageAt(request: IncomingMessage): { route: PageRoute; target: Target } | null {
    const [path = '', ...search] = (request.url ?? '').split('?');
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const route = routesAt(path).find((each) => each.method === method);
    if (route?.problemPage === undefined) return null;
    return { route: route as PageRoute, target: { path, search: search.join('?') } };
  }

  return {
    handle(request, response) {
      const requestId = requestIdOf(request.headers['x-request-id']);
      response.setHeaders(new Map(Object.entries({ ...standingHeaders, 'x-request-id': requestId })));
      if (offersCors) response.setHeader('vary', 'Origin');
      followRequest(request, response, { log, requestId, routeOf: (path) => routesAt(path)[0]?.path });
      admit(request, response, requestId)
        .then((exchange) => {
          exchanges.set(request, exchange);
          if (request.method === 'OPTIONS') answerOptions(exchange);
          else void router.handler(request as Request, response, undefined as never);
        })
        .catch((error: unknown) => fail(request, response, error));
    },
  };
}

type PageRoute = Route & Required<Pick<Route, 'problemPage'>>;

function wantsPage({ headers }: IncomingMessage): boolean {
  return headers.accept?.toLowerCase().includes('text/html') === true;
}
