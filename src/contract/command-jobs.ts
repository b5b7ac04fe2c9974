import { z } from 'zod';

/** How long a settled send can be looked up, and how long its `Idempotency-Key` is remembered. */
export const settledSendAgeS = 86_400;
/** How long the job of an answered read is kept. */
export const settledReadAgeS = 60;

/** The result of a send: WhatsApp's server has the message. */
export const sentSchema = z.object({
  ok: z.literal(true),
  to: z.string().describe('digits; the id of the chat if no number is known'),
  chat_id: z.string(),
  message_id: z.string().nullable(),
  timestamp: z.iso
    .datetime()
    .describe('the time of the message, ISO 8601 in UTC; chats and messages have Unix seconds instead'),
});

/** Data of a job on a session's queue of sends. */
export const sendJobSchema = z.object({
  /** Digits; null if `chatId` names the recipient. */
  phoneNumber: z.string().nullable(),
  chatId: z.string().nullable().default(null),
  linkPreview: z.boolean().default(true),
  markSeen: z.boolean().default(true),
  /** null once the job has settled: texts do not stay in Redis. */
  message: z.string().nullable(),
  /** sha256 of the request: detects a different request under the same `Idempotency-Key`. */
  requestHash: z.string(),
  /** Unix ms; a message that is not sent by then fails as `expired`. */
  notAfter: z.number(),
  /** Epoch of the newest wipe of credentials at the time of the request; a later wipe voids the job (`account_changed`). */
  wipedEpoch: z.number(),
  /** The account that was linked at the time of the request; null: not known. */
  wid: z.string().nullable(),
  requestId: z.string(),
});
export type SendJob = z.infer<typeof sendJobSchema>;

export const sendErrorCodes = [
  'expired',
  'account_changed',
  'not_on_whatsapp',
  'whatsapp_error',
  'not_acknowledged',
  'interrupted',
] as const;

/** How a send settled. It is the return value of its job: the job completes even if the send failed. */
export const sendOutcomeSchema = z.discriminatedUnion('status', [
  z.object({ status: z.literal('sent'), result: sentSchema }),
  z.object({
    status: z.enum(['failed', 'unknown']),
    error: z.object({ code: z.enum(sendErrorCodes), message: z.string() }),
  }),
]);
export type SendOutcome = z.infer<typeof sendOutcomeSchema>;

type UnsentOutcome = Extract<SendOutcome, { error: unknown }>;
type SendErrorCode = (typeof sendErrorCodes)[number];

/** The message was not sent. */
export function failedSend(code: SendErrorCode, message: string): UnsentOutcome {
  return { status: 'failed', error: { code, message } };
}

/** It is not known whether the message was sent. */
export function unknownSend(code: SendErrorCode, message: string): UnsentOutcome {
  return { status: 'unknown', error: { code, message } };
}

/** Outcomes that several places decide. Shared, so that all say the same. */
export const sharedSendOutcomes = {
  expired: failedSend('expired', 'the message could not be sent in time'),
  accountChanged: failedSend(
    'account_changed',
    'the account was logged out or changed before the message was sent',
  ),
  loginLost: unknownSend(
    'interrupted',
    'the send was interrupted, and the login that could show its outcome is gone',
  ),
  notAcknowledged: unknownSend(
    'not_acknowledged',
    'the page has the message, but WhatsApp did not acknowledge it in time',
  ),
};

/** Whether the credentials were wiped after the request: the send is void. `wipedEpoch`: of the newest wipe. */
export function isWipedSince(job: Pick<SendJob, 'wipedEpoch'>, wipedEpoch: number): boolean {
  return job.wipedEpoch < wipedEpoch;
}

/** `GET /api/jobs/<id>`. */
export const jobViewSchema = z.object({
  ok: z.literal(true),
  id: z.string(),
  operation: z.literal('send'),
  status: z.enum(['queued', 'active', 'sent', 'failed', 'unknown']),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
  expires_at: z.iso.datetime().describe('a message that is not sent by then fails'),
  attempts: z.int().nonnegative(),
  result: sentSchema.nullable(),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
});
export type JobView = z.infer<typeof jobViewSchema>;

/** Written under the fence before each call into the page: from then on the message may have been sent. */
export const sendAttemptSchema = z.object({
  /** The profile that was used. Only in this profile does the absence of the message mean that it was not sent. */
  profileId: z.string(),
  chatId: z.string(),
  /** Finds the message if it was sent. null in records of earlier versions: such a message cannot be looked up. */
  messageId: z.string().min(1).nullable().default(null),
  /** Digits of the recipient; null: not known. */
  phone: z.string().nullable().default(null),
  /** Unix ms */
  at: z.number(),
});
export type SendAttempt = z.infer<typeof sendAttemptSchema>;

/** Data of a job on a session's queue of reads: a call of an operation that is a `query` or `idempotent`. */
export const readJobSchema = z.object({
  operation: z.string(),
  input: z.record(z.string(), z.unknown()),
  /** Unix ms; from then on no caller waits for the answer. */
  notAfter: z.number(),
  requestId: z.string(),
  /**
   * true: the caller fetches the output from the answer's key. false: written by an earlier version; its caller reads the output
   * from the job.
   */
  fetchesAnswer: z.boolean().default(false),
});
export type ReadJob = z.infer<typeof readJobSchema>;

export const readOutcomeSchema = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), output: z.unknown() }),
  z.object({
    ok: z.literal(false),
    // `retryAfterS`: after that many seconds the same call may succeed.
    error: z.object({ code: z.string(), message: z.string(), retryAfterS: z.int().positive().optional() }),
  }),
]);
export type ReadOutcome = z.infer<typeof readOutcomeSchema>;

/** Return value of a job on a session's queue of reads: its outcome, or a note that the output is stored under its own key. */
export const readReturnSchema = z.union([z.object({ stored: z.literal(true) }), readOutcomeSchema]);
export type ReadReturn = z.infer<typeof readReturnSchema>;
