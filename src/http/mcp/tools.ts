import type { Tool } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { sessionNameSchema } from '../../contract/names.js';
import { isOfDeployment, type Operation, type OperationName, rows } from '../../contract/operations.js';
import { idempotencyKeyPattern } from '../core/headers.js';

/** The tools of the table of operations, as an agent sees them. */
export interface OperationTool {
  readonly name: OperationName;
  readonly operation: Operation;
  /** The operation's input. For a job also the key that makes it safe to repeat. */
  readonly input: z.ZodObject;
  readonly definition: Tool;
  /** Its answer contains names and texts that other people wrote. */
  readonly hasUntrustedText: boolean;
}

const idempotencyKey = z
  .string()
  .regex(idempotencyKeyPattern, { error: 'idempotency_key must be 1-255 printable ASCII characters' })
  .optional()
  .describe(
    'Make up a new one for each message. If you do not know the outcome of a call, repeat it with the same key: the message is not sent twice.',
  );

const whichSession = sessionNameSchema
  .optional()
  .describe(
    'The account, by the name of its session. Left out: `default`, or the only one that your key is for.',
  );

export const tools: ReadonlyMap<string, OperationTool> = new Map(
  rows.flatMap(([name, operation]) => {
    const tool = toolOf(name, operation);
    return tool === null ? [] : [[tool.definition.name, tool] as const];
  }),
);

/** What `tools/list` answers. */
export function toolDefinitions(baseUrl: string): Tool[] {
  return [...tools.values()].map(({ definition }) => ({
    ...definition,
    description: definition.description?.replaceAll('{baseUrl}', baseUrl),
  }));
}

function toolOf(name: OperationName, operation: Operation): OperationTool | null {
  const { tool, summary, description, delivery } = operation;
  if (tool === null) return null;
  const input = operation.input.extend({
    ...(delivery === 'once' ? { idempotency_key: idempotencyKey } : {}),
    ...(isOfDeployment(name) ? {} : { session: whichSession }),
  });
  // Some clients refuse a tool whose schema begins with `oneOf`.
  const { $schema: _dialect, oneOf: _rule, ...inputSchema } = z.toJSONSchema(input, { io: 'input' });
  return {
    name,
    operation,
    input,
    hasUntrustedText: tool.hasUntrustedText === true,
    definition: {
      name: tool.name,
      description: [`${summary}.`, description, tool.note].filter(Boolean).join(' '),
      inputSchema: inputSchema as Tool['inputSchema'],
      annotations: {
        readOnlyHint: tool.readOnly,
        destructiveHint: tool.destructive,
        openWorldHint: tool.openWorld,
        // A `local` operation is a read, or stores an intent. Storing an intent twice changes nothing.
        idempotentHint: tool.readOnly || delivery === 'local' || delivery === 'idempotent',
      },
    },
  };
}
