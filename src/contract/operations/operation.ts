import type { z } from 'zod';
import type { Scope } from '../access.js';
import type { ApiErrorCode } from '../errors.js';
import type { CapabilityName } from '../page.js';

/**
 * How an operation is carried out.
 *
 * - `local`: by the replica that answers, from Redis alone.
 * - `query`: by the session worker, for a caller who waits. It changes nothing at WhatsApp.
 * - `idempotent`: the same, and it changes something. After an interruption it is carried out again: that does no harm.
 * - `once`: as a job, in order and never twice, whether or not the caller waits.
 */
export type Delivery = 'local' | 'query' | 'idempotent' | 'once';

/** A row of the table of operations: all that there is to know of one, for every part of the product. */
export interface Operation<
  Input extends z.ZodObject = z.ZodObject,
  Output extends z.ZodType = z.ZodType,
  How extends Delivery = Delivery,
  Answer extends z.ZodType | undefined = z.ZodType | undefined,
> {
  /** One line, for a list. */
  readonly summary: string;
  /** What a caller has to know besides; for OpenAPI and for an agent that chooses a tool. */
  readonly description: string;
  /** `{name}` in a path is one segment of it, and that field of the input. */
  readonly routes: readonly { readonly method: 'GET' | 'POST'; readonly path: string }[];
  /** Its heading in the OpenAPI document. */
  readonly tag: 'Session' | 'Messages';
  /** null: not a tool. */
  readonly tool: Tool | null;
  readonly scope: Scope;
  /** It changes or costs something: each call counts against the rate limit. */
  readonly isLimited: boolean;
  readonly input: Input;
  readonly output: Output;
  readonly delivery: How;
  /** The state in which the session worker can carry it out; null: a `local` one needs none. */
  readonly needs: How extends 'local' ? null : 'qr' | 'ready';
  /** What of WhatsApp's page it stands on: while that is broken, it is refused as `not_supported_by_page`. */
  readonly capability?: CapabilityName;
  /** Members of the page that it uses besides. Without one of them its capability is degraded. */
  readonly pageMembers?: readonly string[];
  /** What the session worker answers, where the replica makes the output from it. */
  readonly answer?: Answer;
  /** A `local` one that may take long: `Prefer: wait` says how long its caller waits. All others take it anyway. */
  readonly takesWait?: true;
  /** Refusals beyond those that follow from the rest of the row. */
  readonly errors: readonly ApiErrorCode[];
  readonly example: { readonly input: z.input<Input>; readonly output: z.output<Output> };
}

/** What the protocol's hints say of a tool, so that a client knows when to ask a person. */
export interface Tool {
  readonly name: string;
  /** It changes nothing. */
  readonly readOnly: boolean;
  /** What it takes away does not come back. */
  readonly destructive: boolean;
  /** It reaches WhatsApp, and so people and texts that nobody here answers for. */
  readonly openWorld: boolean;
  /** Its answer has names and texts that strangers wrote. */
  readonly tellsForeignWords?: true;
}

/** Checks a row's example against its own schemas, and keeps its types for {@link Operation}'s users. */
export function operation<
  Input extends z.ZodObject,
  Output extends z.ZodType,
  const How extends Delivery,
  Answer extends z.ZodType | undefined = undefined,
>(
  row: Operation<Input, Output, How, Answer>,
): Operation<Input, Output, How, Answer> & { readonly answer: Answer } {
  return { ...row, answer: row.answer as Answer };
}

/** Whether `Prefer: wait` says how long its caller waits. */
export function takesWait({ delivery, takesWait: isLong }: Operation): boolean {
  return delivery !== 'local' || isLong === true;
}

/** What may be said of an `idempotent` operation of which nobody knows whether it was carried out. */
export const mayBeDone = 'it may have been done; repeating it does no harm';

const ofReady: readonly ApiErrorCode[] = ['session_not_started', 'login_required', 'login_failed'];

/** The refusals that an operation has by its delivery and by the state it needs, and those of its own. */
export function refusalsOf({ delivery, needs, errors }: Operation): readonly ApiErrorCode[] {
  if (delivery === 'local') return errors;
  // An operation for an account that is not linked yet starts the session itself.
  const ofState = needs === 'ready' ? ofReady : (['login_failed'] as const);
  const ofDelivery =
    delivery === 'once'
      ? (['idempotency_conflict'] as const)
      : (['session_not_ready', 'not_supported_by_page'] as const);
  return ['whatsapp_error', 'timeout', ...ofState, ...ofDelivery, 'queue_full', ...errors];
}
