import { z } from 'zod';
import { credentialsBackupSchema } from '../credentials.js';
import { statusSchema } from '../status.js';
import { phoneNumberSchema } from '../whatsapp.js';
import { readyStatus, statusWithQr } from './examples.js';
import { operation } from './operation.js';

/** Unknown fields of a body are refused. Unknown parameters of a query are ignored. */
const noInput = z.strictObject({});

const healthSchema = z.object({
  ok: z.literal(true),
  name: z.string(),
  mcp: z.url(),
  status: statusSchema,
  credentials_backup: credentialsBackupSchema,
});

const pairingAnswerSchema = z.union([
  z.object({
    already_authenticated: z.literal(false),
    phone_number: z.string(),
    code: z.string(),
    instructions: z.string(),
    expires_at: z.iso
      .datetime()
      .nullable()
      .describe('when WhatsApp stops accepting the code; null: the supervisor is of an earlier version'),
  }),
  z.object({ already_authenticated: z.literal(true), code: z.null(), status: statusSchema }),
]);

/** The operations on a session as a whole: its status, linking a phone, stop and logout. */
export const sessionOperations = {
  health: operation({
    summary: 'The name of the product, its MCP endpoint, the status and the backup of the login',
    description: 'The same answer at both paths.',
    routes: [
      { method: 'GET', path: '/', isOfDefault: true },
      { method: 'GET', path: '/health', isOfDefault: true, operationId: 'getHealth' },
    ],
    tag: 'About',
    tool: null,
    scope: 'read',
    isLimited: false,
    input: noInput,
    output: healthSchema,
    delivery: 'local',
    needs: null,
    errors: [],
    example: {
      input: {},
      output: {
        ok: true,
        name: 'holdline',
        mcp: 'http://127.0.0.1:8790/mcp',
        status: readyStatus,
        credentials_backup: {
          enabled: true,
          reason: null,
          taken_at: '2026-01-15T09:30:12.345Z',
          bytes: 48_213,
        },
      },
    },
  }),
  status: operation({
    summary: 'The status of the session',
    description:
      'Whether the account is linked and ready, the newest error, and in `page` what works on the page of WhatsApp Web.',
    routes: [{ method: 'GET', path: '/api/status' }],
    tag: 'Session',
    tool: { name: 'whatsapp_status', readOnly: true, destructive: false, openWorld: false },
    scope: 'read',
    isLimited: false,
    input: noInput,
    output: statusSchema,
    delivery: 'local',
    needs: null,
    errors: [],
    example: { input: {}, output: readyStatus },
  }),
  startAuth: operation({
    summary: 'Start the session, or join a start in flight; safe to repeat',
    description:
      'Answers when there is a QR to scan, a login or a failure, at the latest after 30 s. In the state `passkey_required` WhatsApp asks the owner of the account for a passkey: a person must open the page /qr (of another session /sessions/<name>/qr), which says how to give it.',
    httpNote:
      '`Prefer: wait=N` (0-120) sets another wait. A person scans the QR at /qr, or of another session at /sessions/<name>/qr.',
    routes: [{ method: 'POST', path: '/api/auth/start' }],
    tag: 'Session',
    tool: {
      ...{ name: 'whatsapp_start_auth', readOnly: false, destructive: false, openWorld: true },
      note: 'While the state is `qr`, a person scans the QR at {baseUrl}/qr, or of another session at {baseUrl}/sessions/<name>/qr, with WhatsApp on their phone.',
    },
    scope: 'admin',
    isLimited: true,
    input: noInput,
    output: statusSchema,
    delivery: 'local',
    needs: null,
    takesWait: true,
    errors: [],
    example: { input: {}, output: statusWithQr },
  }),
  pairingCode: operation({
    summary: 'A code that links the phone, instead of the QR',
    description:
      'Starts the session when needed. Enter the code on the phone of that number: WhatsApp -> Linked devices -> Link a device -> Link with phone number instead. It is valid for 180 s, until `expires_at`; a new code voids the one before.',
    routes: [{ method: 'POST', path: '/api/pairing-code' }],
    tag: 'Session',
    tool: { name: 'whatsapp_pairing_code', readOnly: false, destructive: false, openWorld: true },
    scope: 'admin',
    isLimited: true,
    input: z.strictObject({ phone_number: phoneNumberSchema }),
    output: pairingAnswerSchema,
    delivery: 'query',
    needs: 'qr',
    capability: 'pairing',
    // Answers of earlier versions have no `expires_at`.
    answer: z.object({ code: z.string(), expires_at: z.iso.datetime().nullable().default(null) }),
    errors: [],
    example: {
      input: { phone_number: '+1 555 765-4321' },
      output: {
        already_authenticated: false,
        phone_number: '15557654321',
        code: 'ABCD1234',
        instructions: 'WhatsApp -> Linked devices -> Link a device -> Link with phone number instead',
        expires_at: '2026-01-01T10:03:05.000Z',
      },
    },
  }),
  stop: operation({
    summary: 'End the run; the device stays linked and the credentials are kept',
    description: 'A later start needs no new scan.',
    routes: [{ method: 'POST', path: '/api/stop' }],
    tag: 'Session',
    tool: null,
    scope: 'admin',
    isLimited: true,
    input: noInput,
    output: z.object({ ok: z.literal(true) }),
    delivery: 'local',
    needs: null,
    errors: ['timeout'],
    example: { input: {}, output: { ok: true } },
  }),
  logout: operation({
    summary: 'Unlink the device and wipe the credentials',
    description: 'Cannot be undone: the next start needs a new scan. Messages that wait to be sent fail.',
    routes: [{ method: 'POST', path: '/api/logout' }],
    tag: 'Session',
    tool: { name: 'whatsapp_logout', readOnly: false, destructive: true, openWorld: true },
    scope: 'admin',
    isLimited: true,
    input: noInput,
    output: z.object({
      ok: z.literal(true),
      unlinked: z
        .boolean()
        .describe('false if WhatsApp did not get the logout; the credentials are wiped all the same'),
      reason: z
        .string()
        .nullable()
        .describe('why `unlinked` is false, and what to do then; null if it is true'),
    }),
    delivery: 'local',
    needs: null,
    errors: ['timeout'],
    example: { input: {}, output: { ok: true, unlinked: true, reason: null } },
  }),
} as const;
