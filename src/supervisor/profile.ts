import { randomUUID } from 'node:crypto';
import { mkdir, readFile, readlink, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { accountSchema } from '../contract/status.js';

/**
 * A session's profile directory on this machine and the note beside it. Touched only while holding the
 * session's job.
 */
const noteSchema = z.object({
  session: z.string(),
  /** The newest wipe known when the profile was made: a newer one voids it, whichever host ordered it. */
  wipedEpoch: z.number(),
  /** Tells this profile from any other: what it does not know of, only it can deny. */
  profileId: z.string().default(() => randomUUID()),
  /** Has been `ready`: a QR from this profile means that its login is void. */
  isLinked: z.boolean(),
  account: accountSchema.nullable(),
});

export type ProfileNote = z.infer<typeof noteSchema>;

export class Profile {
  readonly dir: string;
  readonly #session: string;
  readonly #noteFile: string;

  constructor(authDir: string, session: string) {
    this.#session = session;
    this.dir = join(authDir, `session-${session}`);
    this.#noteFile = `${this.dir}.json`;
  }

  /** Makes it usable: a profile that was wiped elsewhere goes, locks that a dead browser left go. */
  async prepare(wipedEpoch: number): Promise<ProfileNote> {
    const found = await this.#readNote();
    if (found !== null && found.wipedEpoch < wipedEpoch) await this.remove();
    const note =
      found !== null && found.wipedEpoch >= wipedEpoch
        ? found
        : { session: this.#session, wipedEpoch, profileId: randomUUID(), isLinked: false, account: null };
    await mkdir(this.dir, { recursive: true, mode: 0o700 });
    await this.writeNote(note);
    await this.unlock();
    return note;
  }

  async remove(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    await rm(this.#noteFile, { force: true });
  }

  async writeNote(note: ProfileNote): Promise<void> {
    const draft = `${this.#noteFile}.new`;
    await writeFile(draft, `${JSON.stringify(note)}\n`, { mode: 0o600 });
    await rename(draft, this.#noteFile);
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

  async #readNote(): Promise<ProfileNote | null> {
    try {
      return noteSchema.parse(JSON.parse(await readFile(this.#noteFile, 'utf8')));
    } catch {
      return null;
    }
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
