import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, readlink, rename, rm, statfs } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { type Account, accountSchema } from '../../contract/status.js';
import type { LoginStorage } from '../../contract/thread-messages.js';
import { exists, writePrivateFile } from '../../platform/files.js';
import { readCommandLine, signalGroup, signalProcess } from '../../platform/proc.js';
import { fingerprintOf } from '../credentials/login-files.js';
import { storageFile } from '../credentials/take-snapshot.js';

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

/** Well above what a browser needs to open what it has, and well below what a disk in use should have. */
const neededBytes = 16 * 1024 * 1024;

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
  /** A profile whose place a restored one has taken, until that one has proved itself. */
  readonly #setAside: string;

  constructor(authDir: string, session: string) {
    this.#session = session;
    this.dir = join(authDir, `session-${session}`);
    this.#noteFile = noteFileOf(authDir, session);
    this.#storageFile = `${this.dir}.storage.json`;
    this.#setAside = `${this.dir}.set-aside`;
  }

  /**
   * Removes what is void and what an earlier supervisor left half done, ends a browser that still runs on it, and
   * tells what login is left. `isGood`: it has been linked and its files are there; whether it works, only WhatsApp
   * can say.
   */
  async takeStock(wipedEpoch: number): Promise<{ isGood: boolean; epoch: number }> {
    await mkdir(dirname(this.dir), { recursive: true, mode: 0o700 });
    await this.unlock();
    await this.#sweep();
    const note = await this.readNote();
    if (note === null || !note.isLinked) return { isGood: false, epoch: 0 };
    if (note.wipedEpoch < wipedEpoch) {
      await this.remove();
      return { isGood: false, epoch: 0 };
    }
    const isThere = await fingerprintOf(this.dir).catch(() => null);
    return { isGood: isThere !== null, epoch: note.epoch };
  }

  /**
   * Puts the login in `dir`, a sibling, in the profile's place. It is another profile than before: what was sent on
   * that one cannot be looked up here. A crash in between leaves a note that has the login restored once more.
   */
  async replaceBy(dir: string, account: Account | null, wipedEpoch: number): Promise<void> {
    const profileId = randomUUID();
    const note = { session: this.#session, epoch: 0, isWanted: true, wipedEpoch, profileId };
    await this.writeNote({ ...note, isLinked: true, account });
    await this.removeStorage();
    // Of several tries it is the first that may be worth something.
    if (await exists(this.#setAside)) await removeFolder(this.dir);
    else if (await exists(this.dir)) await rename(this.dir, this.#setAside);
    const storage = join(dir, storageFile);
    if (await exists(storage)) await rename(storage, this.#storageFile);
    await rename(dir, this.dir);
  }

  /** Takes back what {@link replaceBy} set aside, if anything. */
  async putBack(): Promise<void> {
    if (!(await exists(this.#setAside))) return;
    await removeFolder(this.dir);
    await rename(this.#setAside, this.dir);
  }

  /** The login that is in place works: what it replaced is not needed. */
  dropSetAside(): Promise<void> {
    return removeFolder(this.#setAside);
  }

  /** Makes it usable for a run: a profile that was wiped elsewhere goes, locks that a dead browser left go. */
  async prepare(wipedEpoch: number, epoch: number): Promise<ProfileNote> {
    const found = await this.readNote();
    // A run is claimed above the epoch in the note that it finds.
    if (found !== null && found.epoch > epoch) throw new Error('a newer run uses it');
    if (found !== null && found.wipedEpoch < wipedEpoch) await this.remove();
    const kept =
      found !== null && found.wipedEpoch >= wipedEpoch
        ? found
        : { session: this.#session, wipedEpoch, profileId: randomUUID(), isLinked: false, account: null };
    const note = { ...kept, epoch, isWanted: true };
    if (!(await exists(this.dir))) await this.putBack();
    await mkdir(this.dir, { recursive: true, mode: 0o700 });
    await this.writeNote(note);
    await this.unlock();
    return note;
  }

  async remove(): Promise<void> {
    await Promise.all([removeFolder(this.dir), removeFolder(this.#setAside), this.#sweep()]);
    await this.removeStorage();
    await rm(this.#noteFile, { force: true });
  }

  /** There is too little room for a browser to open its databases. */
  async isDiskFull(): Promise<boolean> {
    const { bavail, bsize } = await statfs(dirname(this.dir));
    return bavail * bsize < neededBytes;
  }

  readNote(): Promise<ProfileNote | null> {
    return readNote(this.#noteFile);
  }

  writeNote(note: ProfileNote): Promise<void> {
    return writePrivateFile(this.#noteFile, textOf(note));
  }

  /**
   * Writes what a run has learned meanwhile, unless a newer one's note stands there or `isHeld` denies that the profile is this
   * run's: a disk, or a frozen process, may hold the write up for longer than the run lives.
   */
  amendNote(note: ProfileNote, isHeld: () => boolean): Promise<void> {
    return writePrivateFile(this.#noteFile, textOf(note), async () => {
      const standing = await this.readNote();
      return (standing === null || standing.epoch <= note.epoch) && isHeld();
    });
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

  /** Copies and half restored logins of a supervisor that was killed. */
  async #sweep(): Promise<void> {
    const [parent, name] = [dirname(this.dir), basename(this.dir)];
    const found = await readdir(parent).catch(() => []);
    const left = found.filter(
      (it) => it.startsWith(`${name}.snapshot-`) || it.startsWith(`${name}.restore-`),
    );
    await Promise.all(left.map((it) => removeFolder(join(parent, it))));
  }
}

function textOf(note: ProfileNote): string {
  return `${JSON.stringify(note)}\n`;
}

function removeFolder(dir: string): Promise<void> {
  return rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

async function readJson<T>(file: string, schema: z.ZodType<T>): Promise<T | null> {
  try {
    return schema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return null;
  }
}

async function isBrowserOf(pid: number, dir: string): Promise<boolean> {
  return (await readCommandLine(pid))?.includes(`--user-data-dir=${dir}`) ?? false;
}

async function killAndWait(pid: number, dir: string): Promise<void> {
  for (let attempt = 0; attempt < 50 && (await isBrowserOf(pid, dir)); attempt++) {
    signalGroup(pid, 'SIGKILL');
    signalProcess(pid, 'SIGKILL');
    await delay(20);
  }
}
