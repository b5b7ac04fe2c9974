import type { z } from 'zod';
import { messageOperations } from './operations/messages.js';
import type { Operation } from './operations/operation.js';
import { sessionOperations } from './operations/session.js';

/**
 * The one table of operations. REST routes, validation, MCP tools, the OpenAPI document, scopes and the commands to the session
 * worker all follow its rows; nothing looks at an operation's name, or at the shape of its path.
 */
export const operations = { ...sessionOperations, ...messageOperations } as const satisfies Record<
  string,
  Operation
>;

export type { Operation } from './operations/operation.js';
export type OperationName = keyof typeof operations;
export type InputOf<Name extends OperationName> = z.infer<(typeof operations)[Name]['input']>;
export type OutputOf<Name extends OperationName> = z.infer<(typeof operations)[Name]['output']>;

type DeliveryOf<Name extends OperationName> = (typeof operations)[Name]['delivery'];
type NamesBy<How> = { [Name in OperationName]: DeliveryOf<Name> extends How ? Name : never }[OperationName];

/** The operations that are jobs. */
export type OnceName = NamesBy<'once'>;

/** The operations that the session worker carries out for a caller who waits. */
export type AskedName = NamesBy<'query' | 'idempotent'>;

/** What the session worker answers to one of them. */
export type AnswerOf<Name extends AskedName> = (typeof operations)[Name] extends {
  readonly answer?: infer Schema extends z.ZodType | undefined;
}
  ? Schema extends z.ZodType
    ? z.infer<Schema>
    : OutputOf<Name>
  : OutputOf<Name>;

/** Those of which the session worker's answer is the output. */
export type PlainlyAskedName = {
  [Name in AskedName]: AnswerOf<Name> extends OutputOf<Name> ? Name : never;
}[AskedName];

/** Every row with its name, typed as any row is. */
export const rows = Object.entries(operations) as [OperationName, Operation][];

/** The row of a name that came from outside; null: there is no such operation. */
export function findOperation(name: string): Operation | null {
  return Object.hasOwn(operations, name) ? operations[name as OperationName] : null;
}
