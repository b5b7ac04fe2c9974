import { z } from 'zod';
import { KiB } from './bounds.js';

/**
 * Linking with a passkey. WhatsApp's page makes a WebAuthn request, which the browser on the server cannot answer. The owner's own
 * browser answers it, on WhatsApp's site, and the answer is given to the page.
 */

/** Where the owner makes the answer. Chromium writes it into the answer, and WhatsApp's server checks it. */
export const whatsAppOrigin = 'https://web.whatsapp.com';

/** The site that a passkey of WhatsApp belongs to. */
const whatsAppRpId = 'whatsapp.com';

/** How long an answer may lie in Redis until the session worker takes it. */
export const passkeyAnswerTtlMs = 30_000;

/** How long after the scan WhatsApp links without comparing a code, unless an attempt has failed. Read in the page of mid-2026. */
export const handoffMs = 300_000;

/** How often the request may be repeated for one scan. */
export const passkeyRetriesMax = 3;

export const passkeySteps = ['answer', 'phone', 'code', 'linking', 'failed'] as const;

export const passkeyStatusSchema = z.object({
  id: z.string().describe('of the request; a new request has a new one'),
  step: z
    .enum(passkeySteps)
    .describe(
      'answer: the owner has to use the passkey; phone: the phone goes on; code: a person compares the code; linking: WhatsApp links; failed: retry or cancel',
    ),
  attempt: z.int().positive().describe('of this scan, from 1'),
  expires_at: z.iso
    .datetime()
    .nullable()
    .describe('when this step ends without a result; null: it does not end by itself'),
  code_needed: z.boolean().describe('a person has to compare a code after the answer'),
  problem: z.string().nullable().describe('why the last attempt failed, or why this one does not go on'),
});

export type PasskeyStep = (typeof passkeySteps)[number];
export type PasskeyStatus = z.infer<typeof passkeyStatusSchema>;

const base64url = (maxLength: number) =>
  z
    .string()
    .min(1)
    .max(maxLength)
    .regex(/^[\w-]+$/, { error: 'must be base64url' });

const transportsSchema = z.array(z.string().max(32)).max(8).optional();

/** Why a call that goes on with a request is refused. */
export function noPasskeyAsked(state: string): string {
  return `WhatsApp does not ask for a passkey now: the session is ${state}`;
}

/** PublicKeyCredentialRequestOptionsJSON of the WebAuthn standard, as far as WhatsApp may use it. */
export const passkeyOptionsSchema = z.object({
  challenge: base64url(1_024),
  rpId: z.literal(whatsAppRpId),
  timeout: z.number().positive().optional(),
  allowCredentials: z
    .array(z.object({ id: base64url(1_366), type: z.literal('public-key'), transports: transportsSchema }))
    .max(64)
    .default([]),
  userVerification: z.enum(['required', 'preferred', 'discouraged']).default('preferred'),
  // What WhatsApp asks for besides; an odd one costs only itself.
  extensions: z
    .record(z.string().max(64), z.union([z.boolean(), z.number(), z.string().max(1_024)]))
    .optional()
    .catch(undefined),
});

export type PasskeyOptions = z.infer<typeof passkeyOptionsSchema>;

/** AuthenticationResponseJSON of the WebAuthn standard: what `credential.toJSON()` gives. Further fields are dropped. */
export const passkeyCredentialSchema = z.object({
  id: base64url(1_366),
  rawId: base64url(1_366),
  type: z.literal('public-key', { error: 'must be "public-key"' }),
  authenticatorAttachment: z.enum(['platform', 'cross-platform']).nullish().catch(null),
  response: z.object({
    clientDataJSON: base64url(8 * KiB),
    authenticatorData: base64url(8 * KiB),
    signature: base64url(4 * KiB),
    userHandle: base64url(128).nullish(),
  }),
});

export type PasskeyCredential = z.infer<typeof passkeyCredentialSchema>;

/** What only an admin gets of the open request: the options in the step `answer`, the code to compare in the step `code`. */
export const openPasskeySchema = z.object({
  id: z.string(),
  options: passkeyOptionsSchema.nullable(),
  code: z.string().nullable(),
});

export type OpenPasskey = z.infer<typeof openPasskeySchema>;

/** How a request ended. refused: by WhatsApp, after the answer. cancelled: here or on the phone. failed: the page gave it up. */
export const passkeyOutcomes = ['linked', 'refused', 'expired', 'cancelled', 'failed'] as const;

export type PasskeyOutcome = (typeof passkeyOutcomes)[number];
