import { z } from 'zod';
import {
  openPasskeySchema,
  type PasskeyOptions,
  type PasskeyStatus,
  passkeyCredentialSchema,
  passkeyOptionsSchema,
  passkeyRetriesMax,
  passkeyStatusSchema,
} from '../passkey.js';
import { operation } from './operation.js';

/** The operations that answer WhatsApp's request for a passkey. Only the operator may use them: they link an account. */

const exampleStatus: PasskeyStatus = {
  id: '0c5b8f3e-4d6f-4a1c-9f0e-2f6f5c7d9e11',
  step: 'answer',
  attempt: 1,
  expires_at: '2026-01-01T10:10:05.000Z',
  code_needed: false,
  problem: null,
};

const exampleOptions: PasskeyOptions = {
  challenge: 'yq5ZQmZ3m0tPZlJ9m7M5cXh1b0tqV0d5c2RrbGZqYXM',
  rpId: 'whatsapp.com',
  timeout: 600_000,
  allowCredentials: [],
  userVerification: 'required',
};

const idSchema = z.string().min(1).max(64).describe('the `id` of the request, from GET /api/auth/passkey');
const input = z.strictObject({ id: idSchema });
const output = z.object({
  ok: z.literal(true),
  passkey: passkeyStatusSchema.nullable().describe('the request after this call; null: it is over'),
});
const row = { tag: 'Session', tool: null, scope: 'admin', isForOperator: true } as const;
const step = {
  ...row,
  ...({ isLimited: true, delivery: 'idempotent', needs: 'passkey_required', status: 202 } as const),
  input,
  output,
};

export const passkeyOperations = {
  passkey: operation({
    ...row,
    summary: "WhatsApp's request for a passkey, with what answers it",
    description:
      'In the state `passkey_required`, WhatsApp wants the passkey of the owner of the account before it links. `options` (in the step `answer`) are for `navigator.credentials.get()` on https://web.whatsapp.com, in a browser of the owner. `code` (in the step `code`) must be the one that the phone shows.',
    routes: [{ method: 'GET', path: '/api/auth/passkey' }],
    isLimited: false,
    input: z.strictObject({}),
    output: passkeyStatusSchema.extend({
      options: passkeyOptionsSchema
        .nullable()
        .describe('PublicKeyCredentialRequestOptionsJSON of WebAuthn; null except in the step `answer`'),
      code: openPasskeySchema.shape.code.describe(
        'to compare with the phone; null except in the step `code`',
      ),
    }),
    delivery: 'local',
    needs: null,
    errors: ['passkey_not_pending'],
    example: { input: {}, output: { ...exampleStatus, options: exampleOptions, code: null } },
  }),
  passkeyAnswer: operation({
    ...step,
    limitOfSession: 'passkeys',
    summary: "Give the owner's answer to WhatsApp",
    description:
      '`credential` is what `credential.toJSON()` gives (AuthenticationResponseJSON of WebAuthn). It is checked before WhatsApp gets it: an answer that does not fit does not use up the request.',
    routes: [{ method: 'POST', path: '/api/auth/passkey/answer' }],
    input: input.extend({ credential: passkeyCredentialSchema }),
    command: input.extend({ token: z.string().max(64) }),
    errors: ['passkey_not_pending', 'passkey_superseded', 'passkey_not_acceptable'],
    example: {
      input: {
        id: exampleStatus.id,
        credential: {
          ...{ id: 'Zm9yIGV4YW1wbGU', rawId: 'Zm9yIGV4YW1wbGU', type: 'public-key' },
          response: {
            clientDataJSON: 'eyJ0eXBlIjoid2ViYXV0aG4uZ2V0In0',
            authenticatorData: 'Zm9yIGV4YW1wbGU',
            signature: 'Zm9yIGV4YW1wbGU',
          },
        },
      },
      output: {
        ok: true,
        passkey: { ...exampleStatus, step: 'phone', expires_at: '2026-01-01T10:02:05.000Z' },
      },
    },
  }),
  passkeyConfirm: operation({
    ...step,
    limitOfSession: 'passkeys',
    summary: 'Confirm the code that the phone shows',
    description: 'In the step `code`. `code` is what the phone shows; if it differs, nothing is linked.',
    routes: [{ method: 'POST', path: '/api/auth/passkey/confirm' }],
    input: input.extend({
      code: z
        .string()
        .min(1)
        .max(32)
        .describe('as the phone shows it; dashes, spaces and small letters are allowed'),
    }),
    errors: ['passkey_not_pending', 'passkey_superseded', 'passkey_code_differs'],
    example: {
      input: { id: exampleStatus.id, code: 'K7QX-2M4P' },
      output: {
        ok: true,
        passkey: { ...exampleStatus, step: 'linking', expires_at: '2026-01-01T10:04:05.000Z' },
      },
    },
  }),
  passkeyRetry: operation({
    ...step,
    limitOfSession: 'passkeys',
    summary: 'Ask WhatsApp for the passkey once more',
    description: `In the step \`failed\`. At most ${passkeyRetriesMax} times for one scan; then 429 without \`Retry-After\`: cancel, and scan again.`,
    routes: [{ method: 'POST', path: '/api/auth/passkey/retry' }],
    errors: ['passkey_not_pending', 'passkey_superseded', 'rate_limited'],
    example: { input: { id: exampleStatus.id }, output: { ok: true, passkey: exampleStatus } },
  }),
  passkeyCancel: operation({
    ...step,
    summary: 'Give up the request for a passkey, and go back to QR codes',
    description:
      'If WhatsApp has linked just before, the device is unlinked again. The next scan makes a new request.',
    routes: [{ method: 'POST', path: '/api/auth/passkey/cancel' }],
    errors: ['passkey_not_pending', 'passkey_superseded'],
    example: { input: { id: exampleStatus.id }, output: { ok: true, passkey: null } },
  }),
} as const;
