import type { InputOf, OnceName, OperationName, OutputOf } from '../../contract/operations.js';
import type { AcceptedJob } from '../commands/send-message.js';
import type { Json } from '../core/responses.js';
import type { Session } from '../sessions.js';

/** What a caller says beside the input, over REST or as an MCP tool. */
export interface Call {
  readonly session: Session;
  /** Where this product is reached, without a slash at the end. */
  readonly baseUrl: string;
  /** `Prefer: wait`, in s; null: it is absent or not usable. */
  readonly preferredWaitS: number | null;
  /** `Prefer: respond-async`: a send answers its job at once. */
  readonly respondAsync: boolean;
  /** Makes it safe to repeat a send; 1-255 printable ASCII characters. */
  readonly idempotencyKey: string | null;
  readonly requestId: string;
  /** The name of the caller's API key; `''` without keys. */
  readonly keyName: string;
  /** Who the caller is to limits: the key; without one, the address. */
  readonly callerName: string;
  /** Whoever waits for the answer: the signal aborts when nobody does any more. */
  readonly waiter: { readonly signal: AbortSignal };
}

export interface Result<Output> {
  /** The output, or its JSON where Redis has that already. */
  readonly body: Output | Json<Output>;
  /** 200 where absent. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export type Handler<Name extends OperationName> = (
  input: InputOf<Name>,
  call: Call,
) => Promise<Result<Name extends OnceName ? OutputOf<Name> | AcceptedJob : OutputOf<Name>>>;

/** One handler for each operation of the table. A missing one is a type error. */
export type Handlers = { readonly [Name in OperationName]: Handler<Name> };

/** The handler of any operation: its input has been parsed by that operation's own schema. */
export type AnyHandler = (input: never, call: Call) => Promise<Result<unknown>>;
