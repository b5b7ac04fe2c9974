import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { accountSchema } from '../../contract/status.js';
import { writePrivateFile } from '../../platform/files.js';

/** What the file `session-<name>.json` beside a profile says of it. */
const noteSchema = z.object({
  session: z.string(),
  /** Of the newest run that used this profile. */
  epoch: z.number().default(0),
  /** The session shall run: no operator stopped it, and no reason to give up ended it. */
  isWanted: z.boolean().default(false),
  /** The newest wipe known when the profile was made: a newer one voids it, whichever host ordered it. */
  wipedEpoch: z.number(),
  /** Tells this profile from any other: only the profile a message was sent on can say that it was not sent. */
  profileId: z.string().default(() => randomUUID()),
  /** Has been `ready`: a QR from this profile means that its login is void. */
  isLinked: z.boolean(),
  account: accountSchema.nullable(),
});

export type ProfileNote = z.infer<typeof noteSchema>;

/** A supervisor knows by these files which sessions it has run. */
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
 * Writes `note` unless the file is a newer run's or `isHeld` says that the profile is not this run's any more. A slow disk or
 * a frozen process can delay the write until after the run's end.
 */
export function amendNote(file: string, note: ProfileNote, isHeld: () => boolean): Promise<void> {
  return writePrivateFile(file, textOf(note), async () => {
    const stored = await readNote(file);
    return (stored === null || stored.epoch <= note.epoch) && isHeld();
  });
}

/** null: there is no file, or it cannot be read. */
export async function readJsonFile<T>(file: string, schema: z.ZodType<T>): Promise<T | null> {
  try {
    return schema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return null;
  }
}

function textOf(note: ProfileNote): string {
  return `${JSON.stringify(note)}\n`;
}
