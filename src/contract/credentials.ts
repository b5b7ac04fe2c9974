import { z } from 'zod';
import { parseAs } from './json.js';

/** The backup of a session's login: what Redis holds beside the encrypted pieces, and what `/health` reports. */

/** Associated data of the encryption of every piece: a piece under a changed header cannot be decrypted. */
export const snapshotHeaderSchema = z.object({
  version: z.literal(1),
  session: z.string(),
  id: z.uuid(),
  /** Of the run that took it. */
  epoch: z.int().nonnegative(),
  /** Epoch of the newest wipe at that time: a newer wipe voids the snapshot. */
  wipedEpoch: z.int().nonnegative(),
  /** Identifies the encryption key without revealing it. */
  keyId: z.string(),
  takenAt: z.iso.datetime(),
});

export type SnapshotHeader = z.infer<typeof snapshotHeaderSchema>;

export const snapshotManifestSchema = z.object({
  header: snapshotHeaderSchema,
  pieces: z.int().positive(),
  /** Of all encrypted pieces together. */
  bytes: z.int().positive(),
  sha256: z.string().regex(/^[\da-f]{64}$/),
});

export type SnapshotManifest = z.infer<typeof snapshotManifestSchema>;

/** Whether the session's owner backs up the login. `reason`: why not, or why the newest attempt failed. */
export const backupStatusSchema = z.object({ enabled: z.boolean(), reason: z.string().nullable() });

export type BackupStatus = z.infer<typeof backupStatusSchema>;

/** Of the newest snapshot. */
const backupSummarySchema = z.object({ taken_at: z.iso.datetime(), bytes: z.int() });

export const credentialsBackupSchema = z.object({
  enabled: z.boolean().describe('the login is copied to Redis, encrypted'),
  reason: z.string().nullable().describe('why it is not, or why the newest attempt failed'),
  taken_at: z.iso.datetime().nullable().describe('when the newest copy was made'),
  bytes: z.int().nullable().describe('its size in Redis'),
});

export type CredentialsBackupInfo = z.infer<typeof credentialsBackupSchema>;

const unknownReason = 'no supervisor has run the session yet';

/** Parsers of the two parts. They return null for missing or invalid JSON. */
export const credentialsBackupParts = {
  status: (json: string | null) => parseAs(backupStatusSchema, json),
  summary: (json: string | null) => parseAs(backupSummarySchema, json),
};

/** What `/health` reports. Both parts are JSON, or null if Redis has none. */
export function describeBackup(status: string | null, summary: string | null): CredentialsBackupInfo {
  return {
    ...(credentialsBackupParts.status(status) ?? { enabled: false, reason: unknownReason }),
    ...(credentialsBackupParts.summary(summary) ?? { taken_at: null, bytes: null }),
  };
}
