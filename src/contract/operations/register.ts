import { z } from 'zod';
import { defaultSession, sessionNameSchema } from '../names.js';
import { proxyViewSchema } from '../proxy.js';
import { ignoreSchema, sessionChangesSchema, sessionConfigSchema, unconfigured } from '../session-record.js';
import { sessionStates, statusSchema } from '../status.js';
import { readyStatus } from './examples.js';
import { operation } from './operation.js';

/** Making, listing and deleting sessions, and what else takes the name of a session as its input. */

const sessionSchema = z.object({
  session: z.string(),
  created_at: z.iso
    .datetime()
    .nullable()
    .describe('null: not known, as of `default`, which is there by itself'),
  metadata: sessionConfigSchema.shape.metadata,
  ignore: ignoreSchema.describe('whose messages are not told as events'),
  proxy: proxyViewSchema.nullable().describe('of the browser of the session'),
  status: statusSchema,
});

/** A session as lists show it. */
export type SessionView = z.infer<typeof sessionSchema>;

const listedMax = 1_000;
const limitRule = `limit must be an integer between 1 and ${listedMax}`;

const shortestTtlS = 10;
const longestTtlS = 86_400;
const ttlRule = `ttl_s must be a whole number from ${shortestTtlS} to ${longestTtlS}`;

const exampleView: SessionView = {
  session: 'sales',
  created_at: '2026-01-01T09:58:00.000Z',
  metadata: { team: 'sales' },
  ignore: unconfigured.ignore,
  proxy: { server: 'http://proxy.lan:3128' },
  status: { ...readyStatus, session: 'sales' },
};

const named = z.strictObject({ session: sessionNameSchema });

export const registerOperations = {
  sessions: operation({
    summary: 'The sessions, by name',
    description:
      'Each with its status, by pages. To get the next page, pass `next_cursor` as `cursor`. Every other operation takes the name of a session.',
    routes: [{ method: 'GET', path: '/api/sessions' }],
    tag: 'Sessions',
    tool: { name: 'whatsapp_list_sessions', readOnly: true, destructive: false, openWorld: false },
    scope: 'read',
    isLimited: false,
    input: z.strictObject({
      limit: z
        .int({ error: limitRule })
        .min(1, { error: limitRule })
        .max(listedMax, { error: limitRule })
        .default(100)
        .describe('how many at most'),
      cursor: sessionNameSchema.optional().describe('`next_cursor` of the page before'),
      state: z.enum(sessionStates).optional().describe('only those in this state'),
    }),
    output: z.object({
      ok: z.literal(true),
      count: z.int().nonnegative(),
      sessions: z.array(sessionSchema),
      next_cursor: z.string().nullable().describe('null: this is the last page'),
    }),
    delivery: 'local',
    needs: null,
    errors: [],
    example: {
      input: { limit: 100 },
      output: { ok: true, count: 1, sessions: [exampleView], next_cursor: null },
    },
  }),
  session: operation({
    summary: 'One session: its configuration and its status',
    description: '',
    routes: [{ method: 'GET', path: '/api/sessions/{session}' }],
    tag: 'Sessions',
    tool: null,
    scope: 'read',
    isLimited: false,
    input: named,
    output: sessionSchema.extend({ ok: z.literal(true) }),
    delivery: 'local',
    needs: null,
    errors: ['session_not_found'],
    example: { input: { session: 'sales' }, output: { ok: true, ...exampleView } },
  }),
  putSession: operation({
    summary: 'Make a session, or change its configuration',
    description:
      'Answers 201 if it is new, else 200. A field that is left out stays as it is. The session is started only with `start`.',
    routes: [{ method: 'PUT', path: '/api/sessions/{session}' }],
    tag: 'Sessions',
    tool: null,
    scope: 'admin',
    isLimited: true,
    input: z.strictObject({
      session: sessionNameSchema,
      ...sessionChangesSchema,
      start: z.boolean().default(false).describe('also start it, without waiting for the outcome'),
    }),
    output: sessionSchema.extend({ ok: z.literal(true) }),
    delivery: 'local',
    needs: null,
    mayCreate: true,
    errors: ['session_not_found', 'too_many_sessions', 'session_not_ready'],
    example: {
      input: {
        session: 'sales',
        metadata: { team: 'sales' },
        proxy: { server: 'http://proxy.lan:3128' },
        start: true,
      },
      output: { ok: true, ...exampleView },
    },
  }),
  deleteSession: operation({
    summary: 'Log the session out, and forget it',
    description:
      'Cannot be undone. Unlinks the device and deletes what is stored of the session: configuration, login, events and jobs. `default` can only be logged out.',
    routes: [{ method: 'DELETE', path: '/api/sessions/{session}' }],
    tag: 'Sessions',
    tool: null,
    scope: 'admin',
    isLimited: true,
    input: named,
    output: z.object({
      ok: z.literal(true),
      unlinked: z.boolean().describe('false if WhatsApp did not get the logout'),
      reason: z
        .string()
        .nullable()
        .describe('why `unlinked` is false, and what to do then; null if it is true'),
    }),
    delivery: 'local',
    needs: null,
    errors: ['session_not_found', 'timeout'],
    example: { input: { session: 'sales' }, output: { ok: true, unlinked: true, reason: null } },
  }),
  qrLinks: operation({
    summary: 'A one-time link to the QR, for a person without a key',
    description:
      'Send it to the person who has the phone. The link opens a page with a button, so that a link preview does not use it up. After a press of the button, that browser sees the code and the state for 10 minutes, and nothing else.',
    routes: [
      { method: 'POST', path: '/api/qr-links' },
      { method: 'POST', path: '/api/sessions/{session}/qr-links', operationId: 'qrLinksOfSession' },
    ],
    tag: 'Session',
    tool: null,
    scope: 'admin',
    isLimited: true,
    input: z.strictObject({
      ttl_s: z
        .int({ error: ttlRule })
        .min(shortestTtlS, { error: ttlRule })
        .max(longestTtlS, { error: ttlRule })
        .default(600)
        .describe('how long the link can be opened, in seconds'),
      session: sessionNameSchema.default(defaultSession),
    }),
    output: z.object({ ok: z.literal(true), url: z.url(), expires_at: z.iso.datetime() }),
    delivery: 'local',
    needs: null,
    errors: ['session_not_found'],
    example: {
      input: { ttl_s: 600, session: defaultSession },
      output: {
        ok: true,
        url: 'http://127.0.0.1:8790/link/rdJx0eO4yM6JQO1kGQh2y4ZtT0m5V9oU8a3bC7dEfGh',
        expires_at: '2026-01-01T10:10:00.000Z',
      },
    },
  }),
} as const;
