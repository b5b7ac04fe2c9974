import type { z } from 'zod';
import type { Scope } from '../access.js';
import type { ApiErrorCode } from '../errors.js';
import type { CapabilityName } from '../page.js';

/**
 * How an operation is carried out.
 *
 * - `local`: by the replica that answers, from Redis alone.
 * - `query`: by the session worker, for a caller who waits. It changes nothing of the account, its chats and messages.
 * - `idempotent`: the same, and it changes something. After an interruption it is carried out again: that does no harm.
 * - `once`: as a job, in order and never twice, whether or not the caller waits.
 */
export type Delivery = 'local' | 'query' | 'idempotent' | 'once';

/** A row of the table of operations. Every part of the product takes what it needs to know about the operation from here. */
export interface Operation<
  Input extends z.ZodObject = z.ZodObject,
  Output extends z.ZodType = z.ZodType,
  How extends Delivery = Delivery,
  Answer extends z.ZodType | undefined = z.ZodType | undefined,
  Command extends z.ZodObject | undefined = z.ZodObject | undefined,
> {
  /** One line, for a list. */
  readonly summary: string;
  /** What else every caller must know: of the HTTP API, and an agent that chooses a tool. */
  readonly description: string;
  /** What follows it in the OpenAPI document: about headers, statuses and paths. */
  readonly httpNote?: string;
  readonly routes: readonly OperationRoute[];
  /** The operation's heading in the OpenAPI document. */
  readonly tag: 'Messages' | 'Session' | 'Sessions' | 'Keys' | 'Deployment' | 'About';
  /** null: not a tool. */
  readonly tool: Tool | null;
  readonly scope: Scope;
  /** Calls are counted against a limit of the session besides, whoever makes them. */
  readonly limitOfSession?: 'passkeys';
  /** It can give the account, or rights to it, to whoever asks. Without keys only a request of this machine may use it. */
  readonly isForOperator?: true;
  /** It is about the whole deployment: keys that are bound to sessions may not use it. */
  readonly isForUnbound?: true;
  /** It changes or costs something: each call counts against the rate limit. */
  readonly isLimited: boolean;
  readonly input: Input;
  readonly output: Output;
  readonly delivery: How;
  /** The state in which the session worker can carry it out; null: a `local` one needs none. */
  readonly needs: How extends 'local' ? null : 'qr' | 'passkey_required' | 'ready';
  /** The capability of WhatsApp's page that it needs. While that is broken, it is refused as `not_supported_by_page`. */
  readonly capability?: CapabilityName;
  /** Further members of the page that it uses. Without one of them its capability is degraded. */
  readonly pageMembers?: readonly string[];
  /** The session worker's answer, if the replica makes the output from it. Absent: the answer is the output. */
  readonly answer?: Answer;
  /** The session worker's input, if it is not the caller's. Absent: the input goes into the command unchanged. */
  readonly command?: Command;
  /** Of a success; absent: 200. */
  readonly status?: 202;
  /** It answers 201 instead of 200 if it has made something. */
  readonly mayCreate?: true;
  /** A `local` operation that takes `Prefer: wait`, because it may take long. Those of another delivery always take it. */
  readonly takesWait?: true;
  /** Refusals beyond those that follow from the rest of the row. */
  readonly errors: readonly ApiErrorCode[];
  readonly example: { readonly input: z.input<Input>; readonly output: z.output<Output> };
}

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** Whether the input of a request is its body, else its query. */
export function hasBody(method: string): boolean {
  return method === 'POST' || method === 'PUT';
}

export interface OperationRoute {
  readonly method: Method;
  /** `{name}` stands for one segment. Its value is the input's field of that name. */
  readonly path: string;
  /** It is at no path of a named session. */
  readonly isOfDefault?: true;
  /** Names the method of a generated client. Absent: the name of the operation. */
  readonly operationId?: string;
}

/** The tool of an operation, with the hints of the Model Context Protocol. A client decides by them when to ask a person. */
export interface Tool {
  readonly name: string;
  /** What follows the operation's description for an agent. `{baseUrl}` in it becomes the URL of this server. */
  readonly note?: string;
  /** It changes nothing. */
  readonly readOnly: boolean;
  /** What it removes cannot be restored. */
  readonly destructive: boolean;
  /** It reaches WhatsApp, and so people and texts outside the operator's control. */
  readonly openWorld: boolean;
  /** Its answer contains names and texts that other people wrote. */
  readonly hasUntrustedText?: true;
}

/** Types a row. Its example must fit its own schemas. */
export function operation<
  Input extends z.ZodObject,
  Output extends z.ZodType,
  const How extends Delivery,
  Answer extends z.ZodType | undefined = undefined,
  Command extends z.ZodObject | undefined = undefined,
>(
  row: Operation<Input, Output, How, Answer, Command>,
): Operation<Input, Output, How, Answer, Command> & { readonly answer: Answer; readonly command: Command } {
  return { ...row, answer: row.answer as Answer, command: row.command as Command };
}

/** Whether `Prefer: wait` sets how long the caller waits. */
export function takesWait({ delivery, takesWait: isLong }: Operation): boolean {
  return delivery !== 'local' || isLong === true;
}

/** Ends the error of an `idempotent` operation that may have been carried out. */
export const mayBeDoneSentence = 'it may have been done; repeating it does no harm';

const notReady: readonly ApiErrorCode[] = ['session_not_started', 'login_required', 'login_failed'];

/** All refusals of an operation: those of its delivery, of a session that is not in the state it needs, and of its own row. */
export function refusalsOf({ delivery, errors }: Operation): readonly ApiErrorCode[] {
  if (delivery === 'local') return errors;
  const byDelivery =
    delivery === 'once'
      ? (['idempotency_conflict'] as const)
      : (['session_not_ready', 'not_supported_by_page'] as const);
  return ['whatsapp_error', 'timeout', ...notReady, ...byDelivery, 'queue_full', ...errors];
}
