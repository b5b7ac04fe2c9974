import { z } from 'zod';

/** The backup of a session's login: what stands in Redis beside the sealed pieces, and what `/health` tells of it. */

/** Part of the associated data of every piece: a change of any of it is a piece that does not open. */
export const snapshotHeaderSchema = z.object({
  version: z.literal(1),
  session: z.string(),
  id: z.uuid(),
  /** Of the run that took it. */
  epoch: z.int().nonnegative(),
  /** The newest wipe known then: a newer one voids the snapshot. */
  wipedEpoch: z.int().nonnegative(),
  /** Which key sealed it; says nothing about the key. */
  keyId: z.string(),
  takenAt: z.iso.datetime(),
});

export type SnapshotHeader = z.infer<typeof snapshotHeaderSchema>;

export const snapshotManifestSchema = z.object({
  header: snapshotHeaderSchema,
  pieces: z.int().positive(),
  /** Of all sealed pieces together. */
  bytes: z.int().positive(),
  sha256: z.string().regex(/^[\da-f]{64}$/),
});

export type SnapshotManifest = z.infer<typeof snapshotManifestSchema>;

/** Whether the owner of the session backs its login up; `reason` says why not, or why the newest attempt failed. */
export const backupStandingSchema = z.object({ enabled: z.boolean(), reason: z.string().nullable() });

export type BackupStatus = z.infer<typeof backupStandingSchema>;

/** The newest snapshot in short. */
const backupSummarySchema = z.object({ taken_at: z.iso.datetime(), bytes: z.int() });

export const credentialsBackupSchema = z.object({
  enabled: z.boolean().describe('the login is copied to Redis, encrypted'),
  reason: z.string().nullable().describe('why it is not, or why the newest attempt failed'),
  taken_at: z.iso.datetime().nullable().describe('when the newest copy was made'),
  bytes: z.int().nullable().describe('its size in Redis'),
});

export type CredentialsBackup = z.infer<typeof credentialsBackupSchema>;

const neverToldReason = 'no supervisor has run the session yet';

/** Each from its JSON; null where there is none, or nobody can read it. */
export const credentialsBackupParts = {
  standing: (json: string | null) => parsed(backupStandingSchema, json),
  summary: (json: string | null) => parsed(backupSummarySchema, json),
};

function parsed<T>(schema: z.ZodType<T>, json: string | null): T | null {
  try {
    return json ? schema.parse(JSON.parse(json)) : null;
  } catch {
    return null;
  }
}

/** What `/health` says; both parts as JSON, null where Redis has none. */
export function describeBackup(standing: string | null, summary: string | null): CredentialsBackup {
  return {
    ...(credentialsBackupParts.standing(standing) ?? { enabled: false, reason: neverToldReason }),
    ...(credentialsBackupParts.summary(summary) ?? { taken_at: null, bytes: null }),
  };
}
