import { z } from 'zod';
import { sendOutcomeSchema } from '../contract/command-jobs.js';
import { sessionRecordSchema } from '../contract/session-record.js';

/**
 * What is in a backup, as files of one archive:
 *
 *     manifest.json   what the backup holds, and the settings
 *     login/          the login, as in a snapshot (supervisor/credentials/take-snapshot.ts)
 *     sends.jsonl     a SavedSend on each line
 *     events.jsonl    a SavedEvent on each line, the oldest first
 *     numbers.json    the hash `lids`
 */
export const files = {
  manifest: 'manifest.json',
  login: 'login',
  sends: 'sends.jsonl',
  events: 'events.jsonl',
  numbers: 'numbers.json',
} as const;

/** A restore refuses any other version. */
export const formatVersion = 1;

export const manifestSchema = z.object({
  version: z.literal(formatVersion),
  /** Version of the product that made the backup. */
  holdline: z.string(),
  madeAt: z.iso.datetime(),
  host: z.string(),
  session: z.string(),
  /** What is configured of the session. null: the backup is of an earlier version. */
  record: sessionRecordSchema.nullable().default(null),
  /** When the login was read: at the time of the backup, or when the snapshot was taken. */
  loginAt: z.iso.datetime(),
  /** The account to which events and numbers belong; null: there is no such data. */
  wid: z.string().max(200).nullable(),
  counts: z.object({
    settledSends: z.int().nonnegative(),
    unsettledSends: z.int().nonnegative(),
    events: z.int().nonnegative(),
  }),
  /** The product's environment variables, by name. */
  settings: z.record(z.string().regex(/^[A-Z_]+$/), z.string()),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** A job of the queue of sends, without its text. */
export const savedSendSchema = z.object({
  id: z.string().regex(/^[\w-]{1,128}$/),
  /** The fields of BullMQ's hash. */
  fields: z.record(z.string(), z.string()),
  /** null: it had not settled. It may have been sent after the backup. */
  outcome: sendOutcomeSchema.nullable(),
  /** Unix ms; null: it had not settled. */
  finishedOn: z.number().nullable(),
});
export type SavedSend = z.infer<typeof savedSendSchema>;

/** An entry of the stream of events: its id, then names and values of its fields in turn. */
export const savedEventSchema = z.tuple([
  z.string().regex(/^\d{1,15}-\d{1,15}$/),
  z.array(z.string()).min(2),
]);
export type SavedEvent = z.infer<typeof savedEventSchema>;

export const numbersSchema = z.record(z.string(), z.string());
