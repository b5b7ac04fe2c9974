import type { IncomingMessage, ServerResponse } from 'node:http';
import polka, { type Request } from 'polka';
import type { OnBound } from '../../contract/bounds.js';
import { ApiError } from '../../contract/errors.js';
import { lapsed } from '../auth/api-keys.js';
import type { Authenticate } from '../auth/authenticate.js';
import { authorize, type Caller, nobody } from '../auth/authorize.js';
import { hasCookie, loginCookie, visitCookie } from '../auth/cookies.js';
import { crossOriginHeaders, preflightHeaders } from './cors.js';
import type { ResponseWithDefaults } from './default-headers.js';
import type { Route } from './exchange.js';
import { headerValues } from './header-values.js';
import { type HostOriginGuard, originNotAllowed } from './host-origin-guard.js';
import { parseTarget } from './request-target.js';
import { htmlType, pageHeaders, send, sendError, toApiError } from './responses.js';
import { createRouter, everyMethod, type Found, routeFor } from './router.js';
import { ServedRequest, type ServingParts } from './served-request.js';

export interface App {
  handle(request: IncomingMessage, response: ResponseWithDefaults): void;
}

export interface AppParts extends ServingParts {
  readonly routes: readonly Route[];
  readonly guard: HostOriginGuard;
  readonly gate: Authenticate;
  /** Whether the operator listed any origin; without, no answer says a word about CORS. */
  readonly offersCors: boolean;
  /** Called once for each request, when its answer is out or its client has left. */
  readonly onEnd: (served: ServedRequest) => void;
  readonly onBound: OnBound;
}

/**
 * From a request to its answer. The order of refusals is part of the API: Host and Origin, then who asks, 404, 405,
 * what they may, 429, 415, 413, 400, and last what the session's state forbids.
 */
export function createApp(parts: AppParts): App {
  const { routes, guard, gate, offersCors, onEnd, onBound } = parts;
  const find = createRouter(routes);
  const steps = new Map(routes.map((route) => [route, [stepOf(route)]]));

  const router = polka({
    onError: (error, _request, response) => fail(servedBy(response), error, onBound),
    onNoMatch(_request, response) {
      const { found } = servedBy(response);
      const allowed = methodsAt(found).join(', ');
      throw new ApiError('method_not_allowed', `this path answers ${allowed}`, {
        headers: { allow: allowed },
      });
    },
  });
  router.find = (method, path) => {
    const place = find(path)?.place;
    const route = place && routeFor(place, method);
    return { params: {}, handlers: (route && steps.get(route)) ?? [] };
  };

  /** Throws a refusal, or promises one; else who asks. */
  function admit(served: ServedRequest): Caller | Promise<Caller> {
    const { request, response, found } = served;
    const { headers } = request;
    served.admission = guard.check({
      method: request.method ?? '',
      hosts: headerValues(request, 'host'),
      isHttp10: request.httpVersion === '1.0',
      origin: headers.origin,
      secFetchSite: headers['sec-fetch-site'] as string | undefined,
    });
    const { listedOrigin } = served.admission;
    if (listedOrigin !== null) {
      for (const [name, value] of crossOriginHeaders(listedOrigin)) response.addHeader(name, value);
    }
    const isAboutServer = request.method === 'OPTIONS' && request.url === '*';
    served.target = isAboutServer ? { path: '*', search: '' } : parseTarget(request.url ?? '');
    // What a path answers to is no secret, and a browser asks for it without any key.
    const asksNobody = request.method === 'OPTIONS' || found?.place.isOpen;
    return asksNobody ? nobody : gate(request, served.admission);
  }

  async function serve(served: ServedRequest): Promise<void> {
    const { request, response } = served;
    try {
      const caller = admit(served);
      served.caller = caller instanceof Promise ? await caller : caller;
      if (request.method === 'OPTIONS') answerOptions(served);
      else void router.handler(request as Request, response, undefined as never);
    } catch (error) {
      fail(served, error, onBound);
    }
  }

  /** One for all: a listener of each response's own would cost more than all else that is done at its end. */
  function onClose(this: ResponseWithDefaults): void {
    const served = servedBy(this);
    served.leave();
    onEnd(served);
  }

  return {
    handle(request, response) {
      const found = find((request.url ?? '').split('?', 1)[0] ?? '');
      const served = new ServedRequest(request, response, found, parts);
      response.served = served;
      response.addHeader('x-request-id', served.requestId);
      if (offersCors) response.addHeader('vary', 'Origin');
      response.on('close', onClose);
      void serve(served);
    },
  };
}

function stepOf(route: Route): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  return (_request, response) => {
    const served = servedBy(response);
    authorize(served.caller, route);
    // What is open is answered at once, and the probes among it must be whatever else is under way.
    if (route.scope !== 'open') served.enter();
    if (!route.isLimited) return route.handle(served);
    // Only a page that brings a key may spend what its caller has.
    if (served.admission.isFromElsewhere && served.caller.via !== 'key') throw originNotAllowed();
    return served.spend().then(() => route.handle(served));
  };
}

function servedBy(response: ServerResponse): ServedRequest {
  const { served } = response as ResponseWithDefaults;
  if (served === null) throw new Error('a response without its request');
  return served;
}

/** Throws `not_found`. */
function methodsAt(found: Found | null): readonly string[] {
  if (found === null) throw new ApiError('not_found', 'there is nothing at this path');
  return found.place.methods;
}

function answerOptions({ request, response, found, target, admission }: ServedRequest): void {
  const allowed = target.path === '*' ? everyMethod : methodsAt(found);
  response.writeHead(204, {
    allow: allowed.join(', '),
    ...preflightHeaders(request, admission.listedOrigin, allowed),
  });
  response.end();
}

/** Whatever goes wrong in the telling, too, costs this request only. */
function fail(served: ServedRequest, thrown: unknown, onBound: OnBound): void {
  try {
    tellFailure(served, thrown, onBound);
  } catch (error) {
    served.problem = toApiError(error);
    served.request.destroy();
  }
}

function tellFailure(served: ServedRequest, thrown: unknown, onBound: OnBound): void {
  const { request, response, found } = served;
  const error = served.hasLapsed ? lapsed() : toApiError(thrown);
  served.problem = error;
  if (error.bound !== null) onBound(error.bound);
  if (response.headersSent) {
    request.destroy();
    return;
  }
  const route = found === null ? undefined : routeFor(found.place, request.method);
  if (route?.problemPage === undefined || !wantsPage(request)) return sendError(response, error);
  const [path = '', ...search] = (request.url ?? '').split('?');
  if (error.code === 'unauthorized' && route.scope !== 'open') {
    response.writeHead(303, { location: `login?next=${path.slice(1)}${endedBy(request)}` }).end();
    return;
  }
  const page = route.problemPage(error, { path, search: search.join('?') });
  send(response, error.status, htmlType, page, { ...error.headers, ...pageHeaders });
}

/** What a browser had is told to whoever sits before it: else a page that followed the session would end in a bare form. */
function endedBy(request: IncomingMessage): string {
  if (hasCookie(request, loginCookie)) return '&ended=login';
  return hasCookie(request, visitCookie) ? '&ended=link' : '';
}

function wantsPage({ headers }: IncomingMessage): boolean {
  return headers.accept?.toLowerCase().includes('text/html') === true;
}
