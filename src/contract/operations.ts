import type { z } from 'zod';
import { deploymentOperations } from './operations/deployment.js';
import { messageOperations } from './operations/messages.js';
import type { Operation } from './operations/operation.js';
import { passkeyOperations } from './operations/passkey.js';
import { sessionOperations } from './operations/session.js';

/**
 * The one table of operations. REST routes, validation, MCP tools, the OpenAPI document, scopes and the commands to the session
 * worker all follow its rows; nothing looks at an operation's name, or at the shape of its path.
 */
export const operations = {
  ...sessionOperations,
  ...passkeyOperations,
  ...messageOperations,
  ...deploymentOperations,
} as const satisfies Record<string, Operation>;

export type { Operation } from './operations/operation.js';
export type OperationName = keyof typeof operations;
export type InputOf<Name extends OperationName> = z.infer<(typeof operations)[Name]['input']>;
export type OutputOf<Name extends OperationName> = z.infer<(typeof operations)[Name]['output']>;

/** The operations that are of no session. */
export type DeploymentOperationName = keyof typeof deploymentOperations;

export function isOfDeployment(name: OperationName): name is DeploymentOperationName {
  return Object.hasOwn(deploymentOperations, name);
}

type DeliveryOf<Name extends OperationName> = (typeof operations)[Name]['delivery'];
type NamesBy<How> = { [Name in OperationName]: DeliveryOf<Name> extends How ? Name : never }[OperationName];

/** The operations that are carried out as jobs. */
export type JobOperationName = NamesBy<'once'>;

type WorkerDelivery = 'query' | 'idempotent';

/** The operations that the session worker carries out while the caller waits. */
export type WorkerOperationName = NamesBy<WorkerDelivery>;

/** The session worker's answer to such an operation. */
export type AnswerOf<Name extends WorkerOperationName> =
  (typeof operations)[Name]['answer'] extends infer Schema extends z.ZodType
    ? z.infer<Schema>
    : OutputOf<Name>;

/** The session worker's input of such an operation. */
export type CommandInputOf<Name extends WorkerOperationName> =
  (typeof operations)[Name]['command'] extends infer Schema extends z.ZodType
    ? z.infer<Schema>
    : InputOf<Name>;

/** The operations whose output is the session worker's answer, unchanged. */
export type AnsweredOperationName = {
  [Name in WorkerOperationName]: (typeof operations)[Name]['answer'] extends undefined ? Name : never;
}[WorkerOperationName];

/** Those of them whose command is the caller's input, unchanged. */
export type ForwardedOperationName = {
  [Name in AnsweredOperationName]: (typeof operations)[Name]['command'] extends undefined ? Name : never;
}[AnsweredOperationName];

export function isForwarded(name: OperationName): name is ForwardedOperationName {
  const operation = findWorkerOperation(name);
  return operation !== null && operation.answer === undefined && operation.command === undefined;
}

/** Every row with its name. The rows have the general type {@link Operation}. */
export const rows = Object.entries(operations) as [OperationName, Operation][];

/** An operation that the session worker carries out, with its name. */
export interface WorkerOperation extends Operation<z.ZodObject, z.ZodType, WorkerDelivery> {
  readonly name: WorkerOperationName;
}

/** The operation for a name from another process; null: there is none that the session worker carries out. */
export function findWorkerOperation(name: string): WorkerOperation | null {
  if (!Object.hasOwn(operations, name)) return null;
  const row: Operation = operations[name as OperationName];
  if (row.delivery !== 'query' && row.delivery !== 'idempotent') return null;
  return { ...(row as Operation<z.ZodObject, z.ZodType, WorkerDelivery>), name: name as WorkerOperationName };
}
