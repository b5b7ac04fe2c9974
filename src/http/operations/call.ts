import { type Operation, takesWait } from '../../contract/operations/operation.js';
import type {
  DeploymentOperationName,
  InputOf,
  JobOperationName,
  OperationName,
  OutputOf,
} from '../../contract/operations.js';
import { accessEnded } from '../auth/api-keys.js';
import type { AcceptedJob } from '../commands/send-message.js';
import type { Caller } from '../core/caller.js';
import type { Exchange } from '../core/exchange.js';
import { parsePreferences } from '../core/headers.js';
import type { Json } from '../core/responses.js';
import type { Session } from '../sessions.js';

/** A caller's call of an operation of a session, besides its input: over REST or as an MCP tool. */
export interface Call extends DeploymentCall {
  readonly session: Session;
}

/** A call of an operation that is of no session. */
export interface DeploymentCall {
  readonly caller: Caller;
  /** URL of this server as the client sees it, without a slash at the end. */
  readonly baseUrl: string;
  /** `Prefer: wait`, in s; null: absent, invalid, or not for this operation. */
  readonly preferredWaitS: number | null;
  /** `Prefer: respond-async`: a send answers at once, with its job. */
  readonly respondAsync: boolean;
  /** Makes it safe to repeat a send; 1-255 printable ASCII characters. */
  readonly idempotencyKey: string | null;
  readonly requestId: string;
  /** The name of the caller's API key; `''` without keys. */
  readonly keyName: string;
  /** The name under which limits count the caller: the key, or without one the address. */
  readonly callerName: string;
  /** Its signal aborts when the caller no longer waits. Few operations need the signal, and it is made when they ask for it. */
  readonly waiter: { readonly signal: AbortSignal };
}

export interface Result<Output> {
  /** The output, or its JSON if Redis has that already. */
  readonly body: Output | Json<Output>;
  /** Default: 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export type Handler<Name extends OperationName> = (
  input: InputOf<Name>,
  call: Name extends DeploymentOperationName ? DeploymentCall : Call,
) => Promise<Result<Name extends JobOperationName ? OutputOf<Name> | AcceptedJob : OutputOf<Name>>>;

/** One handler for each operation of the table. A missing one is a type error. */
export type Handlers = { readonly [Name in OperationName]: Handler<Name> };

/** The handler of any operation. Its input must have been parsed by the schema of that operation. */
export type AnyHandler = (input: never, call: Call | DeploymentCall) => Promise<Result<unknown>>;

/** The call that a request makes of an operation of a session. Preferences that the operation does not take are left out. */
export function composeCall(
  exchange: Exchange,
  session: Session,
  operation: Operation,
  idempotencyKey: string | null,
): Call {
  return { ...composeDeploymentCall(exchange, operation, idempotencyKey), session };
}

/** The same for an operation that is of no session. */
export function composeDeploymentCall(
  exchange: Exchange,
  operation: Operation,
  idempotencyKey: string | null,
): DeploymentCall {
  const { request, requestId, admission, caller, callerName } = exchange;
  const { waitS, respondAsync } = parsePreferences(request.headers.prefer);
  return {
    caller,
    baseUrl: admission.baseUrl,
    preferredWaitS: takesWait(operation) ? waitS : null,
    respondAsync: operation.delivery === 'once' && respondAsync,
    idempotencyKey,
    requestId,
    keyName: caller.keyName,
    callerName,
    waiter: exchange,
  };
}

/**
 * Throws `unauthorized` if the caller's login or key has ended during the call. The answer to an accepted message is sent all the same:
 * without it the caller would send the message again.
 */
export function refuseIfLoginEnded({ hasLoginEnded, caller }: Exchange, { delivery }: Operation): void {
  if (hasLoginEnded && delivery !== 'once') throw accessEnded(caller);
}
