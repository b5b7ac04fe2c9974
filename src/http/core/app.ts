import type { IncomingMessage, ServerResponse } from 'node:http';
import polka, { type Request } from 'polka';
import type { OnBound } from '../../contract/bounds.js';
import { ApiError } from '../../contract/errors.js';
import { anonymous, authorize, type Caller } from './caller.js';
import type { Cors } from './cors.js';
import type { Exchange, Route } from './exchange.js';
import { headerValues } from './headers.js';
import { type Admission, type HostOriginGuard, originNotAllowed } from './host-origin-guard.js';
import { parseTarget } from './request-target.js';
import type { ResponseWithDefaults } from './responses.js';
import { createRouter, everyMethod, routeFor } from './router.js';
import { ServedRequest, type SharedParts } from './served-request.js';
import { toApiError } from './to-api-error.js';

export interface App {
  handle(request: IncomingMessage, response: ResponseWithDefaults): void;
}

export interface AppParts extends SharedParts {
  readonly routes: readonly Route[];
  readonly guard: HostOriginGuard;
  readonly authenticate: Authenticate;
  /** null: no response has CORS headers. */
  readonly cors: Cors | null;
  readonly problems: Problems;
  /** Called once for each request, when its response has closed. */
  readonly onEnd: (served: ServedRequest) => void;
  readonly onBound: OnBound;
}

/** Identifies the caller. Throws `unauthorized` or `origin_not_allowed`. */
export type Authenticate = (
  request: IncomingMessage,
  admission: Admission,
  parameters: Exchange['parameters'],
) => Caller | Promise<Caller>;

/** How refusals and failures become responses. */
export interface Problems {
  /** Once the caller's login or key has ended, this error replaces any other. */
  accessEnded(caller: Caller): ApiError;
  /** `route`: undefined if the request matches none. */
  send(served: ServedRequest, error: ApiError, route: Route | undefined): void;
}

/**
 * Handles each request from its arrival to its response. The order of refusals is part of the API: Host and Origin, 401, 404,
 * 405, 403, 429, 415, 413, 400, and last the operation's own refusals.
 */
export function createApp(parts: AppParts): App {
  const { routes, guard, authenticate, cors, problems, onEnd, onBound } = parts;
  const matchPath = createRouter(routes);
  const steps = new Map(routes.map((route) => [route, [stepOf(route)]]));

  const router = polka({
    onError: (error, _request, response) => fail(servedBy(response), error),
    onNoMatch(_request, response) {
      const { match, target } = servedBy(response);
      if (match === null) throw nothingAt(target.path);
      const allowed = match.resource.methods.join(', ');
      throw new ApiError('method_not_allowed', `this path answers ${allowed}`, {
        headers: { allow: allowed },
      });
    },
  });
  router.find = (method, path) => {
    const resource = matchPath(path)?.resource;
    const route = resource && routeFor(resource, method);
    return { params: {}, handlers: (route && steps.get(route)) ?? [] };
  };

  /** Returns the caller. Throws or rejects if the request is refused. */
  function admit(served: ServedRequest): Caller | Promise<Caller> {
    const { request, response, match } = served;
    const { headers } = request;
    served.admission = guard.check({
      method: request.method ?? '',
      hosts: headerValues(request, 'host'),
      isHttp10: request.httpVersion === '1.0',
      origin: headers.origin,
      secFetchSite: headers['sec-fetch-site'] as string | undefined,
    });
    const { listedOrigin } = served.admission;
    if (cors !== null && listedOrigin !== null) {
      for (const [name, value] of cors.headers(listedOrigin)) response.addHeader(name, value);
    }
    const isAboutServer = request.method === 'OPTIONS' && request.url === '*';
    served.target = isAboutServer ? { path: '*', search: '' } : parseTarget(request.url ?? '');
    // The methods of a path are not secret, and browsers send a preflight without a key.
    const needsNoCaller = request.method === 'OPTIONS' || match?.resource.isOpen;
    return needsNoCaller ? anonymous : authenticate(request, served.admission, served.parameters);
  }

  function sendOptions({ request, response, match, target, admission }: ServedRequest): void {
    const isAboutServer = target.path === '*';
    if (match === null && !isAboutServer) throw nothingAt(target.path);
    const allowed = match === null ? everyMethod : match.resource.methods;
    response.writeHead(204, {
      allow: allowed.join(', '),
      ...cors?.preflightHeaders(request, admission.listedOrigin, allowed),
    });
    response.end();
  }

  function nothingAt(path: string): ApiError {
    const hasSlash = path.endsWith('/') && matchPath(path.slice(0, -1)) !== null;
    const way = hasSlash ? '; leave out the slash at its end' : '';
    return new ApiError('not_found', `there is nothing at this path${way}`);
  }

  async function serve(served: ServedRequest): Promise<void> {
    const { request, response } = served;
    try {
      const caller = admit(served);
      served.caller = caller instanceof Promise ? await caller : caller;
      if (request.method === 'OPTIONS') sendOptions(served);
      else void router.handler(request as Request, response, undefined as never);
    } catch (error) {
      fail(served, error);
    }
  }

  /** A failure to send the error ends only this request. */
  function fail(served: ServedRequest, thrown: unknown): void {
    try {
      answerProblem(served, thrown);
    } catch (error) {
      served.problem = toApiError(error);
      served.request.destroy();
    }
  }

  function answerProblem(served: ServedRequest, thrown: unknown): void {
    const { request, response, match } = served;
    const error = served.hasLoginEnded ? problems.accessEnded(served.caller) : toApiError(thrown);
    served.problem = error;
    if (error.bound !== null) onBound(error.bound);
    if (response.headersSent) request.destroy();
    else problems.send(served, error, match === null ? undefined : routeFor(match.resource, request.method));
  }

  /** One function for all responses: a closure for each would cost more than everything else at the end of a response. */
  function onClose(this: ResponseWithDefaults): void {
    const served = servedBy(this);
    served.leave();
    onEnd(served);
  }

  return {
    handle(request, response) {
      const match = matchPath((request.url ?? '').split('?', 1)[0] ?? '');
      const served = new ServedRequest(request, response, match, parts);
      response.served = served;
      response.addHeader('x-request-id', served.requestId);
      if (cors !== null) response.addHeader('vary', 'Origin');
      response.on('close', onClose);
      void serve(served);
    },
  };
}

function stepOf(route: Route): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  return (_request, response) => {
    const served = servedBy(response);
    authorize(served.caller, route);
    // Open routes are not counted as in flight: the probes among them must always answer.
    if (route.scope !== 'open') served.enter();
    if (!route.isLimited) return route.handle(served);
    // A page of an unlisted origin may use up the caller's rate limit only if it sends a key.
    if (served.admission.isCrossOrigin && served.caller.via !== 'key') throw originNotAllowed();
    return served.countRequest().then(() => route.handle(served));
  };
}

function servedBy(response: ServerResponse): ServedRequest {
  const { served } = response as ResponseWithDefaults;
  if (!(served instanceof ServedRequest)) throw new Error('the response has no request');
  return served;
}
