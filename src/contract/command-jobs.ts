import { z } from 'zod';

/** How long a settled send is told of, and its `Idempotency-Key` remembered. */
export const settledSendAgeS = 86_400;
export const settledReadAgeS = 60;

/** What a send answers once WhatsApp's server has the message. */
export const sentSchema = z.object({
  ok: z.literal(true),
  to: z.string().describe("digits; the chat's id where no number is known"),
  chat_id: z.string(),
  message_id: z.string().nullable(),
  timestamp: z.iso.datetime(),
});

/** Data of a job on a session's queue of sends. */
export const sendJobSchema = z.object({
  /** Digits; null where `chatId` names the recipient. */
  phoneNumber: z.string().nullable(),
  chatId: z.string().nullable().default(null),
  linkPreview: z.boolean().default(true),
  markSeen: z.boolean().default(true),
  /** null once the job has settled: bodies do not stay in Redis. */
  message: z.string().nullable(),
  /** sha256 of the request, to tell a repeated one from another under the same `Idempotency-Key`. */
  requestHash: z.string(),
  /** ms; unsent by then it fails as `expired`. */
  notAfter: z.number(),
  /** The newest wipe of credentials when it was accepted: a later one voids it (`account_changed`). */
  wipedEpoch: z.number(),
  /** The account it was meant for, where known. */
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

/** How a send settled: the return value of its job, which always completes. */
export const sendOutcomeSchema = z.discriminatedUnion('status', [
  z.object({ status: z.literal('sent'), result: sentSchema }),
  z.object({
    status: z.enum(['failed', 'unknown']),
    error: z.object({ code: z.enum(sendErrorCodes), message: z.string() }),
  }),
]);
export type SendOutcome = z.infer<typeof sendOutcomeSchema>;

/** `GET /api/jobs/<id>`. */
export const jobViewSchema = z.object({
  ok: z.literal(true),
  id: z.string(),
  operation: z.literal('send'),
  status: z.enum(['queued', 'active', 'sent', 'failed', 'unknown']),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
  expires_at: z.iso.datetime().describe('unsent by then it fails'),
  attempts: z.int().nonnegative(),
  result: sentSchema.nullable(),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
});
export type JobView = z.infer<typeof jobViewSchema>;

/** Written under the fence before each call into the page: from then on the message may have been sent. */
export const sendAttemptSchema = z.object({
  /** Which profile was asked; another one cannot tell whether the message is absent. */
  profileId: z.string(),
  chatId: z.string(),
  /** Under which the message is found, if it is out. Versions before this one could leave it out: nobody can look then. */
  messageId: z.string().min(1).nullable().default(null),
  /** Digits of the recipient, where known. */
  phone: z.string().nullable().default(null),
  /** ms */
  at: z.number(),
});
export type SendAttempt = z.infer<typeof sendAttemptSchema>;

/** Data of a job on a session's queue of reads. */
export const readJobSchema = z.object({
  operation: z.string(),
  input: z.record(z.string(), z.unknown()),
  /** ms; nobody waits any more. */
  notAfter: z.number(),
  requestId: z.string(),
  /** Whoever asks fetches the answer from its own key; earlier versions look for it in the job. */
  fetchesAnswer: z.boolean().default(false),
});
export type ReadJob = z.infer<typeof readJobSchema>;

export const readOutcomeSchema = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), output: z.unknown() }),
  z.object({ ok: z.literal(false), error: z.object({ code: z.string(), message: z.string() }) }),
]);
export type ReadOutcome = z.infer<typeof readOutcomeSchema>;

/** Return value of a job on a session's queue of reads: what came of it, or that the output is under its own key. */
export const readReturnSchema = z.union([z.object({ stored: z.literal(true) }), readOutcomeSchema]);
export type ReadReturn = z.infer<typeof readReturnSchema>;
