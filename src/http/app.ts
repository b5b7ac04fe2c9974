import type { IncomingMessage, ServerResponse } from 'node:http';
import polka, { type Request } from 'polka';
import { ApiError } from '../contract/errors.js';
import type { Logger } from '../platform/logger.js';
import { sendError, standingHeaders, toApiError } from './answers.js';
import { crossOriginHeaders, preflightHeaders } from './cross-origin.js';
import { type Exchange, type Route, signalOf } from './exchange.js';
import { followRequest, noteProblem } from './request-log.js';
import type { Guard } from './requests/guard.js';
import { pathPattern } from './requests/path-pattern.js';
import { requestIdOf } from './requests/request-id.js';
import { parseTarget } from './requests/target.js';

export interface App {
  handle(request: IncomingMessage, response: ServerResponse): void;
}

export interface AppParts {
  readonly routes: readonly Route[];
  readonly guard: Guard;
  /** Whether the operator listed any origin; without, no answer says a word about CORS. */
  readonly offersCors: boolean;
  readonly log: Logger;
  readonly closing: AbortSignal;
}

/**
 * From a request to its answer. The order of refusals is part of the API: Host and Origin, then 404, 405, 415,
 * 413, 400, and last what the session's state forbids.
 */
export function createApp({ routes, guard, offersCors, log, closing }: AppParts): App {
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
      const parameters = pattern.exec(exchange.target.path)?.groups ?? {};
      await route.handle({ ...exchange, parameters });
    });
  }

  function methodsOf(path: string): string[] {
    const methods = routes
      .filter((route) => patterns.get(route.path)?.test(path))
      .map(({ method }) => method);
    if (methods.length === 0) return [];
    return ['GET', 'HEAD', 'POST', 'OPTIONS'].filter(
      (method) =>
        method === 'OPTIONS' ||
        methods.some((known) => known === method || (method === 'HEAD' && known === 'GET')),
    );
  }

  function admit(request: IncomingMessage, response: ServerResponse, requestId: string): Exchange {
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
    return { request, response, requestId, admission, target, parameters: {}, signal };
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
    sendError(response, error);
  }

  return {
    handle(request, response) {
      const requestId = requestIdOf(request.headers['x-request-id']);
      response.setHeaders(new Map(Object.entries({ ...standingHeaders, 'x-request-id': requestId })));
      if (offersCors) response.setHeader('vary', 'Origin');
      followRequest(request, response, { log, requestId, isKnown: (path) => methodsOf(path).length > 0 });
      try {
        const exchange = admit(request, response, requestId);
        exchanges.set(request, exchange);
        if (request.method === 'OPTIONS') answerOptions(exchange);
        else void router.handler(request as Request, response, undefined as never);
      } catch (error) {
        fail(request, response, error);
      }
    },
  };
}
