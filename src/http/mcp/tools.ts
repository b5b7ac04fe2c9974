import type { Tool } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { type Operation, type OperationName, rows } from '../../contract/operations.js';

/** The tools of the table of operations, as an agent sees them. */
export interface OperationTool {
  readonly name: OperationName;
  readonly operation: Operation;
  /** The operation's input; for one that is a job, also the key that makes repeating it safe. */
  readonly input: z.ZodObject;
  readonly definition: Tool;
  /** Its answer has names and texts that strangers wrote. */
  readonly tellsForeignWords: boolean;
}

const idempotencyKey = z
  .string()
  .regex(/^[ -~]{1,255}$/, { error: 'idempotency_key must be 1-255 printable ASCII characters' })
  .optional()
  .describe(
    'Make one up for each message. A call whose outcome you do not know can be repeated with the same key: the message is not sent twice.',
  );

export const tools: ReadonlyMap<string, OperationTool> = new Map(
  rows.flatMap(([name, operation]) => {
    const tool = toolOf(name, operation);
    return tool === null ? [] : [[tool.definition.name, tool] as const];
  }),
);

function toolOf(name: OperationName, operation: Operation): OperationTool | null {
  const { tool, summary, description, delivery } = operation;
  if (tool === null) return null;
  const input =
    operation.delivery === 'once'
      ? operation.input.extend({ idempotency_key: idempotencyKey })
      : operation.input;
  const { $schema: _dialect, ...inputSchema } = z.toJSONSchema(input, { io: 'input' });
  return {
    name,
    operation,
    input,
    tellsForeignWords: tool.tellsForeignWords === true,
    definition: {
      name: tool.name,
      description: `${summary}. ${description}`,
      inputSchema: inputSchema as Tool['inputSchema'],
      annotations: {
        readOnlyHint: tool.readOnly,
        destructiveHint: tool.destructive,
        openWorldHint: tool.openWorld,
        // A `local` operation is a read, or stores an intent: storing it twice changes nothing.
        idempotentHint: tool.readOnly || delivery === 'local' || delivery === 'idempotent',
      },
    },
  };
}
