import { z } from 'zod';
import { sendOutcomeSchema } from '../contract/command-jobs.js';
import { sessionNamePattern } from '../contract/names.js';
import { sessionRecordSchema } from '../contract/session-record.js';

/**
 * What is in a backup, as files of one archive. Of one session:
 *
 *     manifest.json   an OneManifest
 *     login/          the login, as in a snapshot (supervisor/credentials/take-snapshot.ts)
 *     sends.jsonl     a SavedSend on each line
 *     events.jsonl    a SavedEvent on each line, the oldest first
 *     numbers.json    the hash `lids`
 *
 * Of everything:
 *
 *     manifest.json      an AllManifest
 *     keys.json          the API keys that were made while it ran: JSON by sha256, as in Redis
 *     sessions/<name>/   session.json, a SavedSession; if it has a login, also the four others of above
 */
export const files = {
  manifest: 'manifest.json',
  login: 'login',
  sends: 'sends.jsonl',
  events: 'events.jsonl',
  numbers: 'numbers.json',
} as const;

export const filesOfAll = { keys: 'keys.json', sessions: 'sessions', session: 'session.json' } as const;

/** A restore refuses any other version. One session is in a version that earlier versions of the product restore too. */
export const formatVersions = { one: 1, all: 2 } as const;

/** Each text is a variable of the product's environment, by its name. */
const settingsSchema = z.record(z.string().regex(/^[A-Z_]+$/), z.string());

const originSchema = z.object({
  /** Version of the product that made the backup. */
  holdline: z.string(),
  madeAt: z.iso.datetime(),
  host: z.string(),
  settings: settingsSchema,
});
/** Where a backup comes from. */
export type Origin = z.infer<typeof originSchema>;

export const savedSessionSchema = z.object({
  session: z.string().regex(sessionNamePattern),
  /** What is configured of the session. null: the backup is of an earlier version. */
  record: sessionRecordSchema.nullable().default(null),
  /** When the login was read: at the time of the backup, or when the snapshot was taken. null: the backup has no login of it. */
  loginAt: z.iso.datetime().nullable(),
  /** Why something is missing that the session had. null: nothing is. */
  problem: z.string().nullable().default(null),
  /** The account to which events and numbers belong; null: there is no such data. */
  wid: z.string().max(200).nullable(),
  counts: z.object({
    settledSends: z.int().nonnegative(),
    unsettledSends: z.int().nonnegative(),
    events: z.int().nonnegative(),
  }),
});
export type SavedSession = z.infer<typeof savedSessionSchema>;

export const oneManifestSchema = z.object({
  version: z.literal(formatVersions.one),
  ...originSchema.shape,
  ...savedSessionSchema.shape,
  loginAt: z.iso.datetime(),
});

export const allManifestSchema = z.object({
  version: z.literal(formatVersions.all),
  ...originSchema.shape,
  sessions: z.array(z.string().regex(sessionNamePattern)),
});
export type AllManifest = z.infer<typeof allManifestSchema>;
export type OneManifest = z.infer<typeof oneManifestSchema>;

export const keysSchema = z.record(z.string().regex(/^[\da-f]{64}$/), z.string());

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
