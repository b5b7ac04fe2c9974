import type { IncomingMessage } from 'node:http';
import type { ApiError } from '../../contract/errors.js';
import type { Method } from '../../contract/operations/operation.js';
import type { Caller, Permission } from './caller.js';
import type { Admission } from './host-origin-guard.js';
import type { BodyMemory } from './in-flight.js';
import type { Target } from './request-target.js';
import type { ResponseWithDefaults } from './responses.js';
import type { RouteDoc } from './route-doc.js';

/** One admitted request and its response, as its route sees them. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ResponseWithDefaults;
  readonly requestId: string;
  readonly admission: Admission;
  readonly caller: Caller;
  /** The client's address, for limits and the log. */
  readonly address: string;
  /** The name under which limits count the caller: the key, or without one the address. */
  readonly callerName: string;
  readonly bodyMemory: BodyMemory;
  /** Counts a request that changes or costs something. Throws `rate_limited`. */
  countRequest(): Promise<void>;
  readonly target: Target;
  /** The values of the route's path parameters, decoded. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Aborts when the client leaves before the response is out, the server closes, or the caller's login or key ends. */
  readonly signal: AbortSignal;
  /** The caller's login or key ended during the request. From then on the only valid response is the error that says so. */
  readonly hasLoginEnded: boolean;
}

/** What the page of an error may depend on. */
export type FailedRequest = Pick<Exchange, 'target' | 'caller' | 'admission'>;

/** One method of one path. */
export interface Route extends Permission {
  readonly method: Method;
  /** `{name}` stands for any one segment. */
  readonly path: string;
  /** It changes or costs something: each request is counted before its body is read. */
  readonly isLimited?: boolean;
  /** Its response is a stream without an end, so its duration says nothing. */
  readonly isStream?: true;
  /** Makes the HTML of an error, for the route of a page. A browser that is not logged in is redirected to the login instead. */
  readonly problemPage?: (error: ApiError, request: FailedRequest) => string;
  /** For the OpenAPI document. null: the table of operations describes the route, or it serves a file of a page. */
  readonly doc: RouteDoc | null;
  handle(exchange: Exchange): Promise<void>;
}

/** A path of the API with all its routes. */
export interface Resource {
  /** The path of the routes: `{name}` stands for one segment. */
  readonly path: string;
  readonly routes: readonly Route[];
  /** For `Allow`. */
  readonly methods: readonly string[];
  /** It has an open route. */
  readonly isOpen: boolean;
  /** One of its routes is a stream. */
  readonly isStream: boolean;
}

/** What the path of a request matches. */
export interface RouteMatch {
  readonly resource: Resource;
  /** The values of the path parameters, decoded. */
  readonly parameters: Readonly<Record<string, string>>;
}
