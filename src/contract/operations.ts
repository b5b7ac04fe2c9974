import { z } from 'zod';
import { statusSchema } from './status.js';

/**
 * The one table of operations: REST routes, validation and everything generated from them follow it. `run`
 * names where an operation is carried out: `http` by the replica that answers, from Redis alone.
 */
export interface Operation {
  readonly summary: string;
  readonly routes: readonly { readonly method: 'GET' | 'POST'; readonly path: string }[];
  readonly scope: 'read' | 'send' | 'admin';
  readonly input: z.ZodObject;
  readonly output: z.ZodType;
  readonly run: 'http';
}

/** Unknown fields of a body are refused; of a query they are ignored. */
const noInput = z.strictObject({});

export const healthSchema = z.object({
  ok: z.literal(true),
  name: z.string(),
  mcp: z.url(),
  status: statusSchema,
});

export const operations = {
  health: {
    summary: 'The product, where its MCP endpoint is, and the status',
    routes: [
      { method: 'GET', path: '/' },
      { method: 'GET', path: '/health' },
    ],
    scope: 'read',
    input: noInput,
    output: healthSchema,
    run: 'http',
  },
  status: {
    summary: 'The status of the session',
    routes: [{ method: 'GET', path: '/api/status' }],
    scope: 'read',
    input: noInput,
    output: statusSchema,
    run: 'http',
  },
  startAuth: {
    summary: 'Start the session, or join a start in flight; safe to repeat',
    routes: [{ method: 'POST', path: '/api/auth/start' }],
    scope: 'admin',
    input: noInput,
    output: statusSchema,
    run: 'http',
  },
  stop: {
    summary: 'End the run; the device stays linked and the credentials are kept',
    routes: [{ method: 'POST', path: '/api/stop' }],
    scope: 'admin',
    input: noInput,
    output: z.object({ ok: z.literal(true) }),
    run: 'http',
  },
  logout: {
    summary: 'Unlink the device and wipe the credentials',
    routes: [{ method: 'POST', path: '/api/logout' }],
    scope: 'admin',
    input: noInput,
    output: z.object({
      ok: z.literal(true),
      unlinked: z.boolean().describe('false when the phone could not be told'),
    }),
    run: 'http',
  },
} as const satisfies Record<string, Operation>;

export type OperationName = keyof typeof operations;
export type OutputOf<Name extends OperationName> = z.infer<(typeof operations)[Name]['output']>;
