import { randomUUID } from 'node:crypto';
import { mkdir, readFile, readlink, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { accountSchema } from '../contract/status.js';
import type { LoginStorage } from '../contract/thread-messages.js';
import { writePrivateFile } from './private-file.js';

/**
 * A session's profile directory on this machine and what stands beside it. Touched only while holding the
 * session's job.
 */
const noteSchema = z.object({
  session: z.string(),
  /** Of the newest run that used this profile. */
  epoch: z.number().default(0),
  /** The session shall run: no operator stopped it, and no reason to give up ended it. */
  isWanted: z.boolean().default(false),
  /** The newest wipe known when the profile was made: a newer one voids it, whichever host ordered it. */
  wipedEpoch: z.number(),
  /** Tells this profile from any other: what it does not know of, only it can deny. */
  profileId: z.string().default(() => randomUUID()),
  /** Has been `ready`: a QR from this profile means that its login is void. */
  isLinked: z.boolean(),
  account: accountSchema.nullable(),
});

export type ProfileNote = z.infer<typeof noteSchema>;

const storageSchema = z.record(z.string(), z.string());

/** The file of a session's note; by these a supervisor knows which sessions it has carried. */
export function noteFileOf(authDir: string, session: string): string {
  return join(authDir, `session-${session}.json`);
}

/** null where there is none that can be read. */
export async function readNote(file: string): Promise<ProfileNote | null> {
  return readJson(file, noteSchema);
}

export class Profile {
  readonly dir: string;
  readonly #session: string;
  readonly #noteFile: string;
  readonly #storageFile: string;

  constructor(authDir: string, session: string) {
    this.#session = session;
    this.dir = join(authDir, `session-${session}`);
    this.#noteFile = noteFileOf(authDir, session);
    this.#storageFile = `${this.dir}.storage.json`;
  }

  /** Makes it usable for a run: a profile that was wiped elsewhere goes, locks that a dead browser left go. */
  async prepare(wipedEpoch: number, epoch: number): Promise<ProfileNote> {
    const found = await this.readNote();
    if (found !== null && found.wipedEpoch < wipedEpoch) await this.remove();
    const kept =
      found !== null && found.wipedEpoch >= wipedEpoch
        ? found
        : { session: this.#session, wipedEpoch, profileId: randomUUID(), isLinked: false, account: null };
    const note = { ...kept, epoch, isWanted: true };
    await mkdir(this.dir, { recursive: true, mode: 0o700 });
    await this.writeNote(note);
    await this.unlock();
    return note;
  }

  async remove(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    await this.removeStorage();
    await rm(this.#noteFile, { force: true });
  }

  readNote(): Promise<ProfileNote | null> {
    return readNote(this.#noteFile);
  }

  writeNote(note: ProfileNote): Promise<void> {
    return writePrivateFile(this.#noteFile, `${JSON.stringify(note)}\n`);
  }

  /** What a login needs that is not in the profile yet; null: it is all there. */
  readStorage(): Promise<LoginStorage | null> {
    return readJson(this.#storageFile, storageSchema);
  }

  writeStorage(storage: LoginStorage): Promise<void> {
    return writePrivateFile(this.#storageFile, JSON.stringify(storage));
  }

  removeStorage(): Promise<void> {
    return rm(this.#storageFile, { force: true });
  }

  /**
   * Removes Chromium's `Singleton*` files and ends a browser that still holds the profile: with the job ours,
   * whoever made them is dead or must be.
   */
  async unlock(): Promise<void> {
    const holder = await readlink(join(this.dir, 'SingletonLock')).catch(() => null);
    if (holder === null) return;
    const at = holder.lastIndexOf('-');
    const pid = Number(holder.slice(at + 1));
    if (holder.slice(0, at) === hostname() && (await isBrowserOf(pid, this.dir)))
      await killAndWait(pid, this.dir);
    for (const name of ['SingletonLock', 'SingletonCookie', 'SingletonSocket']) {
      await rm(join(this.dir, name), { force: true });
    }
  }
}

async function readJson<T>(file: string, schema: z.ZodType<T>): Promise<T | null> {
  try {
    return schema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return null;
  }
}

async function isBrowserOf(pid: number, dir: string): Promise<boolean> {
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return commandLine.split('\0').includes(`--user-data-dir=${dir}`);
}

async function killAndWait(pid: number, dir: string): Promise<void> {
  for (let attempt = 0; attempt < 50 && (await isBrowserOf(pid, dir)); attempt++) {
    for (const target of [-pid, pid]) {
      try {
        process.kill(target, 'SIGKILL');
      } catch {
        // Not a group leader, or gone.
      }
    }
    await delay(20);
  }
}
