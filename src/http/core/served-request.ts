import type { IncomingMessage } from 'node:http';
import type { ApiError } from '../../contract/errors.js';
import { anonymous, type Caller, callerName } from './caller.js';
import type { Addresses } from './client-ip.js';
import type { Exchange, RouteMatch } from './exchange.js';
import { requestIdOf } from './headers.js';
import type { Admission } from './host-origin-guard.js';
import type { BodyMemory, InFlightLimit } from './in-flight.js';
import type { Target } from './request-target.js';
import type { ResponseWithDefaults } from './responses.js';

/** The parts that all requests of a server share. */
export interface SharedParts {
  /** Counts requests that change or cost something, for the caller and for the address. */
  readonly limits: { countRequest(caller: Caller, address: string): Promise<void> };
  readonly addresses: Addresses;
  readonly requestsInFlight: InFlightLimit;
  readonly bodyMemory: BodyMemory;
  readonly closing: AbortSignal;
}

/**
 * The state of a request from its arrival on. Its route sees it as an {@link Exchange}. What only few routes need is made when
 * they ask for it: most requests are polls.
 */
export class ServedRequest implements Exchange {
  readonly request: IncomingMessage;
  readonly response: ResponseWithDefaults;
  readonly requestId: string;
  /** null: no route has the path. */
  readonly match: RouteMatch | null;
  readonly startedAt = performance.now();
  admission: Admission = { baseUrl: '', listedOrigin: null, isOwnOrigin: false, isCrossOrigin: false };
  caller: Caller = anonymous;
  target: Target = { path: '', search: '' };
  /** The error that was sent, or could not be sent any more. */
  problem: ApiError | null = null;
  hasLoginEnded = false;
  readonly #shared: SharedParts;
  /** The caller's name in the limit of requests in flight, while counted there. */
  #enteredAs: string | null = null;
  #signal: AbortSignal | null = null;

  constructor(
    request: IncomingMessage,
    response: ResponseWithDefaults,
    match: RouteMatch | null,
    shared: SharedParts,
  ) {
    this.request = request;
    this.response = response;
    this.requestId = requestIdOf(request.headers['x-request-id']);
    this.match = match;
    this.#shared = shared;
  }

  get parameters(): Readonly<Record<string, string>> {
    return this.match?.parameters ?? {};
  }

  get address(): string {
    return this.#shared.addresses.of(this.request);
  }

  get callerName(): string {
    return callerName(this.caller, () => this.address);
  }

  get bodyMemory(): BodyMemory {
    return this.#shared.bodyMemory;
  }

  get signal(): AbortSignal {
    this.#signal ??= this.#makeSignal();
    return this.#signal;
  }

  /** Counts the request among the caller's requests in flight. Throws `rate_limited` if there are too many. */
  enter(): void {
    // The client may have left during authentication: then no `close` would follow to call leave().
    if (this.response.destroyed) return;
    const name = this.callerName;
    this.#shared.requestsInFlight.enter(name);
    this.#enteredAs = name;
  }

  /** Call when the response has closed. */
  leave(): void {
    if (this.#enteredAs !== null) this.#shared.requestsInFlight.leave(this.#enteredAs);
    this.#enteredAs = null;
  }

  countRequest(): Promise<void> {
    return this.#shared.limits.countRequest(this.caller, this.address);
  }

  #makeSignal(): AbortSignal {
    const { response, caller } = this;
    const { closing } = this.#shared;
    const controller = new AbortController();
    const abort = () => controller.abort();
    const endLogin = () => {
      this.hasLoginEnded = true;
      abort();
    };
    const unwatch = caller.watchLogin?.(endLogin);
    closing.addEventListener('abort', abort, { once: true });
    response.once('close', () => {
      unwatch?.();
      closing.removeEventListener('abort', abort);
      if (!response.writableFinished) abort();
    });
    if (closing.aborted || response.destroyed) abort();
    return controller.signal;
  }
}
