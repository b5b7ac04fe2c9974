import { z } from 'zod';
import { keyOperations } from './keys.js';
import { type Operation, operation } from './operation.js';
import { registerOperations } from './register.js';

const supervisorSchema = z.object({
  id: z.string(),
  host: z.string().nullable().describe('the name of its machine or container'),
  sessions: z.int().nonnegative().nullable().describe('sessions that it runs'),
  room: z.int().nonnegative().describe('how many more sessions it can take'),
  version: z.string().nullable(),
  since: z.iso.datetime().nullable().describe('since when it runs'),
});

/** The operations on the deployment as a whole, and on its parts: they are not at the paths of a session. */
export const deploymentOperations = {
  ...registerOperations,
  ...keyOperations,
  supervisors: operation({
    summary: 'The supervisors that are alive',
    description:
      'Each runs some of the sessions. When one ends, the others take its sessions, as far as they have room. An entry of an earlier version has only its id and its room.',
    routes: [{ method: 'GET', path: '/api/supervisors' }],
    tag: 'Deployment',
    tool: null,
    scope: 'admin',
    isForUnbound: true,
    isLimited: false,
    input: z.strictObject({}),
    output: z.object({
      ok: z.literal(true),
      count: z.int().nonnegative(),
      supervisors: z.array(supervisorSchema),
    }),
    delivery: 'local',
    needs: null,
    errors: [],
    example: {
      input: {},
      output: {
        ok: true,
        count: 1,
        supervisors: [
          {
            id: 'gateway-1-4711-9f3c',
            host: 'gateway-1',
            sessions: 3,
            room: 4,
            version: '0.1.0',
            since: '2026-01-15T09:30:12.345Z',
          },
        ],
      },
    },
  }),
} as const satisfies Record<string, Operation>;
