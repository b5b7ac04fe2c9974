import { z } from 'zod';
import { keyNamePattern, scopes } from '../access.js';
import { sessionNamePattern } from '../names.js';
import { operation } from './operation.js';

const sessionsMax = 100;
const nameRule = 'name must have 1-64 characters of a-z, 0-9 and -';
const sessionsRule = `sessions must be a list of 1 to ${sessionsMax} different names of sessions (a-z, 0-9 and -); leave it out for all sessions`;
const expiryRule = 'expires_at must be a time with its zone, like 2026-12-31T23:59:59Z';

const name = z.string({ error: nameRule }).regex(keyNamePattern, { error: nameRule });
const scope = z.enum(scopes);
const sessions = z.array(
  z.string({ error: sessionsRule }).regex(sessionNamePattern, { error: sessionsRule }),
  {
    error: sessionsRule,
  },
);

const keySchema = z.object({
  name: z.string(),
  scope,
  sessions: z.array(z.string()).nullable().describe('the only sessions that the key may use; null: all'),
  expires_at: z.iso.datetime().nullable().describe('null: the key does not expire'),
});

/** Only an admin whose key is not bound may use them. An agent makes no keys. */
const row = {
  tag: 'Keys',
  tool: null,
  scope: 'admin',
  isForOperator: true,
  isForUnbound: true,
  delivery: 'local',
  needs: null,
} as const;

const path = '/api/keys';
const shop = {
  name: 'shop',
  scope: 'send',
  sessions: ['shop'],
  expires_at: '2027-01-01T00:00:00.000Z',
} as const;

/** API keys that are made, listed and ended while the product runs. */
export const keyOperations = {
  keys: operation({
    ...row,
    summary: 'All API keys, without the keys themselves',
    description:
      'Those of `WHATSAPP_API_KEYS` on this replica, then those that were made while it runs and have not ended.',
    routes: [{ method: 'GET', path }],
    isLimited: false,
    input: z.strictObject({}),
    output: z.object({
      ok: z.literal(true),
      count: z.int(),
      keys: z.array(
        z.object({
          ...keySchema.shape,
          created_at: z.iso.datetime().nullable().describe('null: the key is configured'),
          source: z.enum(['configuration', 'api']),
        }),
      ),
    }),
    errors: [],
    example: {
      input: {},
      output: {
        ok: true,
        count: 2,
        keys: [
          {
            ...{ name: 'ops', scope: 'admin', sessions: null, expires_at: null, created_at: null },
            source: 'configuration',
          },
          {
            ...{ ...shop, sessions: [...shop.sessions], created_at: '2026-01-01T10:00:00.000Z' },
            source: 'api',
          },
        ],
      },
    },
  }),
  makeKey: operation({
    ...row,
    summary: 'Make an API key',
    description:
      'The answer has the key, this once: only its hash is stored. It works at once, on every replica, until it is deleted or `expires_at` is over. With `sessions` the key is bound: to it, other sessions do not exist. The sessions may be made later. Without `sessions` it is for all of them.',
    httpNote: 'For admins whose key is not bound; without keys, only on the server’s own machine.',
    routes: [{ method: 'POST', path }],
    isLimited: true,
    input: z.strictObject({
      name: name.describe('appears in logs; no other key may have it'),
      scope,
      sessions: sessions
        .min(1, { error: sessionsRule })
        .max(sessionsMax, { error: sessionsRule })
        .refine((names) => new Set(names).size === names.length, { error: sessionsRule })
        .optional()
        .describe('the only sessions that the key may use'),
      expires_at: z.iso
        .datetime({ offset: true, error: expiryRule })
        .optional()
        .describe('when the key ends; in the future'),
    }),
    output: z.object({
      ok: z.literal(true),
      ...keySchema.shape,
      created_at: z.iso.datetime(),
      key: z.string().describe('the key itself, this once'),
    }),
    errors: ['key_name_taken', 'too_many_keys'],
    example: {
      input: { ...shop, sessions: [...shop.sessions] },
      output: {
        ok: true,
        ...{ ...shop, sessions: [...shop.sessions], created_at: '2026-01-01T10:00:00.000Z' },
        key: 'holdline_rdJx0eO4yM6JQO1kGQh2y4ZtT0m5V9oU8a3bC7dEfGh',
      },
    },
  }),
  deleteKey: operation({
    ...row,
    summary: 'End an API key that was made while the server runs',
    description:
      'Its requests are refused at once on every replica. Its event streams, waits, browser logins and QR links end within two seconds.',
    routes: [{ method: 'DELETE', path: `${path}/{name}` }],
    isLimited: true,
    input: z.strictObject({ name: name.describe('the name of the key') }),
    output: z.object({ ok: z.literal(true) }),
    errors: ['key_not_found', 'key_is_configured'],
    example: { input: { name: 'shop' }, output: { ok: true } },
  }),
} as const;
