import type { IncomingMessage } from 'node:http';
import type { ApiError } from '../../contract/errors.js';
import type { Caller, Permission } from '../auth/authorize.js';
import type { BodyMemory } from './body-memory.js';
import type { ResponseWithDefaults } from './default-headers.js';
import type { Admission } from './host-origin-guard.js';
import type { Target } from './request-target.js';

/** One admitted request and its answer. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ResponseWithDefaults;
  readonly requestId: string;
  readonly admission: Admission;
  readonly caller: Caller;
  /** Where the request comes from, for limits and the log. */
  readonly address: string;
  /** Who the caller is to limits: the key; without one, the address. */
  readonly callerName: string;
  readonly bodyRoom: BodyMemory;
  /** Counts one more request that changes or costs something. Throws `rate_limited`. */
  spend(): Promise<void>;
  readonly target: Target;
  /** The segments of the path that its route names, decoded. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Aborts when the client leaves before the answer, when the server closes, or when the caller's login ends. */
  readonly signal: AbortSignal;
  /** The caller's login ended while they waited: nothing more is told. */
  readonly hasLapsed: boolean;
}

/** An answer of one path; several routes may share a path with different methods. */
export interface Route extends Permission {
  readonly method: 'GET' | 'POST';
  /** `{name}` stands for one segment, whatever it is. */
  readonly path: string;
  /** It changes or costs something: each request is counted before anything of it is read. */
  readonly isLimited?: boolean;
  /** A page: what is refused is told as this HTML to a browser, and who is not logged in is sent to the login. */
  readonly problemPage?: (error: ApiError, target: Target) => string;
  handle(exchange: Exchange): Promise<void>;
}
