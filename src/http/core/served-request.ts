import type { IncomingMessage } from 'node:http';
import type { ApiError } from '../../contract/errors.js';
import { type Caller, nobody } from '../auth/authorize.js';
import type { VisitWatch } from '../auth/login-watch.js';
import type { Limits } from '../auth/rate-limits.js';
import type { BodyMemory } from './body-memory.js';
import type { Addresses } from './client-ip.js';
import type { ResponseWithDefaults } from './default-headers.js';
import type { Exchange } from './exchange.js';
import type { Admission } from './host-origin-guard.js';
import { callerName, type InFlightLimit } from './in-flight.js';
import { requestIdOf } from './request-id.js';
import type { Target } from './request-target.js';
import type { Found } from './router.js';

/** What all requests of a server share. */
export interface ServingParts {
  readonly limits: Limits;
  readonly addresses: Addresses;
  readonly visitWatch: VisitWatch;
  readonly underWay: InFlightLimit;
  readonly bodyRoom: BodyMemory;
  readonly closing: AbortSignal;
}

/** A request from its arrival on. What few routes ask for is made when it is asked for: most requests are polls. */
export class ServedRequest implements Exchange {
  readonly request: IncomingMessage;
  readonly response: ResponseWithDefaults;
  readonly requestId: string;
  /** null: no path of the API. */
  readonly found: Found | null;
  readonly startedAt = performance.now();
  admission: Admission = { baseUrl: '', listedOrigin: null, isOwnOrigin: false, isFromElsewhere: false };
  caller: Caller = nobody;
  target: Target = { path: '', search: '' };
  /** What was refused, or failed. */
  problem: ApiError | null = null;
  hasLapsed = false;
  readonly #parts: ServingParts;
  /** As whom it was let in. */
  #entered: string | null = null;
  #signal: AbortSignal | null = null;

  constructor(
    request: IncomingMessage,
    response: ResponseWithDefaults,
    found: Found | null,
    parts: ServingParts,
  ) {
    this.request = request;
    this.response = response;
    this.requestId = requestIdOf(request.headers['x-request-id']);
    this.found = found;
    this.#parts = parts;
  }

  get parameters(): Readonly<Record<string, string>> {
    return this.found?.parameters ?? {};
  }

  get address(): string {
    return this.#parts.addresses.of(this.request);
  }

  get callerName(): string {
    return callerName(this.caller, () => this.address);
  }

  get bodyRoom(): BodyMemory {
    return this.#parts.bodyRoom;
  }

  get signal(): AbortSignal {
    this.#signal ??= this.#makeSignal();
    return this.#signal;
  }

  /** Throws `rate_limited` where its caller has as many requests under way as may be. */
  enter(): void {
    // Its client has left while it was looked up who that is: nobody would tell that it is over.
    if (this.response.destroyed) return;
    const name = this.callerName;
    this.#parts.underWay.enter(name);
    this.#entered = name;
  }

  /** To be called when its answer is out. */
  leave(): void {
    if (this.#entered !== null) this.#parts.underWay.leave(this.#entered);
    this.#entered = null;
  }

  spend(): Promise<void> {
    return this.#parts.limits.spend(this.caller, this.address);
  }

  /** Follows the connection, the server, and what a cookie stands for, whichever ends first. */
  #makeSignal(): AbortSignal {
    const { response, caller } = this;
    const { closing, visitWatch } = this.#parts;
    const controller = new AbortController();
    const abort = () => controller.abort();
    const lapse = () => {
      this.hasLapsed = true;
      abort();
    };
    const leave = caller.visit && visitWatch.add(caller.visit, lapse);
    closing.addEventListener('abort', abort, { once: true });
    response.once('close', () => {
      leave?.();
      closing.removeEventListener('abort', abort);
      if (!response.writableFinished) abort();
    });
    if (closing.aborted || response.destroyed) abort();
    return controller.signal;
  }
}
