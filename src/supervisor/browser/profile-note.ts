import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { parseAs } from '../../contract/json.js';
import { sessionRecordSchema, unreadableRecord } from '../../contract/session-record.js';
import { accountSchema } from '../../contract/status.js';
import { writePrivateFile } from '../../platform/files.js';

/** The content of the file `session-<name>.json` beside a profile. */
const noteSchema = z.object({
  session: z.string(),
  /** The epoch of the newest run that used this profile. */
  epoch: z.number().default(0),
  /** The session should run: no operator stopped it, and its run did not give up. */
  isWanted: z.boolean().default(false),
  /** The newest wipe that was known when the profile was made. A newer wipe, on any host, voids the profile. */
  wipedEpoch: z.number(),
  /** Identifies the profile. Only the profile on which a message was sent can show that it was not sent. */
  profileId: z.string().default(() => randomUUID()),
  /** The profile has been `ready`: if it shows a QR, its login is void. */
  isLinked: z.boolean(),
  account: accountSchema.nullable(),
  /** What was configured of the session when its newest run began. null: the note is of an earlier version. */
  record: sessionRecordSchema.nullable().default(null).catch(unreadableRecord),
});

export type ProfileNote = z.infer<typeof noteSchema>;

/** These files show a supervisor which sessions it has run. */
export function noteFileOf(authDir: string, session: string): string {
  return join(authDir, `session-${session}.json`);
}

/** null: there is none that can be read. */
export function readNote(file: string): Promise<ProfileNote | null> {
  return readJsonFile(file, noteSchema);
}

export function writeNote(file: string, note: ProfileNote): Promise<void> {
  return writePrivateFile(file, textOf(note));
}

/**
 * Writes `note`, unless the file belongs to a newer run, or `isHeld` returns false: the profile is no longer this run's. A slow
 * disk or a frozen process can delay the write until after the run's end.
 */
export function amendNote(file: string, note: ProfileNote, isHeld: () => boolean): Promise<void> {
  return writePrivateFile(file, textOf(note), async () => {
    const stored = await readNote(file);
    return (stored === null || stored.epoch <= note.epoch) && isHeld();
  });
}

/** null: there is no file, or it cannot be read. */
export async function readJsonFile<T>(file: string, schema: z.ZodType<T>): Promise<T | null> {
  return parseAs(schema, await readFile(file, 'utf8').catch(() => null));
}

function textOf(note: ProfileNote): string {
  return `${JSON.stringify(note)}\n`;
}
