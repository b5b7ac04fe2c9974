import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { MiB } from '../../contract/bounds.js';
import { HoldlineError, messageOf } from '../../contract/errors.js';
import type { SessionRecord } from '../../contract/session-record.js';
import type { Account } from '../../contract/status.js';
import type { LoginStorage } from '../../contract/thread-messages.js';
import { exists, writePrivateFile } from '../../platform/files.js';
import { fingerprintOf } from '../credentials/login-files.js';
import { storageFile } from '../credentials/take-snapshot.js';
import { unlockProfile } from './profile-lock.js';
import {
  amendNote,
  noteFileOf,
  type ProfileNote,
  readJsonFile,
  readNote,
  writeNote,
} from './profile-note.js';

/** Much more than a browser needs to open its databases, and much less than a disk in use should have free. */
const neededBytes = 16 * MiB;

const storageSchema = z.record(z.string(), z.string());

/** The directory of the profile cannot be read or written. */
export class ProfileError extends HoldlineError {
  constructor(dir: string, cause: unknown) {
    const message = `the profile directory ${dir} cannot be used: ${messageOf(cause)}`;
    super('profile_unusable', message, { cause });
  }
}

/**
 * A session's profile directory on this machine and the files beside it. Only the owner of the session's job may touch
 * them. The methods reject with the errors of the file system.
 */
export class Profile {
  readonly dir: string;
  readonly #session: string;
  readonly #noteFile: string;
  readonly #storageFile: string;
  /** The profile that a restored login has replaced, until the restored one has been `ready`. */
  readonly #replacedDir: string;

  constructor(authDir: string, session: string) {
    this.#session = session;
    this.dir = join(authDir, `session-${session}`);
    this.#noteFile = noteFileOf(authDir, session);
    this.#storageFile = `${this.dir}.storage.json`;
    this.#replacedDir = `${this.dir}.set-aside`;
  }

  /**
   * Removes a void profile and what an earlier supervisor left unfinished, and ends a browser that still runs on the profile.
   * Returns which login is left. `isGood`: it has been linked and its files exist; only WhatsApp knows whether it works.
   * `epoch`: of the newest run that used it.
   */
  async inspect(wipedEpoch: number): Promise<{ isGood: boolean; epoch: number }> {
    await mkdir(dirname(this.dir), { recursive: true, mode: 0o700 });
    await this.unlock();
    await this.#removeLeftovers();
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
   * Moves the restored login in `dir`, a sibling directory, into the profile's place. It is a new profile with a new id: messages
   * that were sent on the old one cannot be looked up here. After a crash in between, the note makes the next run restore the
   * login again.
   */
  async replaceBy(dir: string, account: Account | null, wipedEpoch: number): Promise<void> {
    const profileId = randomUUID();
    const note = { session: this.#session, epoch: 0, isWanted: true, wipedEpoch, profileId };
    await this.writeNote({ ...note, isLinked: true, account, record: null });
    await this.removeStorage();
    // Keep the profile that the first of several restores replaced: its login may still work.
    if (await exists(this.#replacedDir)) await removeFolder(this.dir);
    else if (await exists(this.dir)) await rename(this.dir, this.#replacedDir);
    const storage = join(dir, storageFile);
    if (await exists(storage)) await rename(storage, this.#storageFile);
    await rename(dir, this.dir);
  }

  /** Undoes {@link replaceBy}; does nothing if no profile was replaced. */
  async restoreReplaced(): Promise<void> {
    if (!(await exists(this.#replacedDir))) return;
    await removeFolder(this.dir);
    await rename(this.#replacedDir, this.dir);
  }

  /** The restored login works: removes the profile that it has replaced. */
  removeReplaced(): Promise<void> {
    return removeFolder(this.#replacedDir);
  }

  /** Makes the profile usable for a run. Removes a profile that was wiped elsewhere, and the locks of a dead browser. */
  async prepare(
    wipedEpoch: number,
    epoch: number,
    record: SessionRecord | null = null,
  ): Promise<ProfileNote> {
    const found = await this.readNote();
    // The claim chose an epoch above that of the note, so a higher one belongs to a newer run.
    if (found !== null && found.epoch > epoch) throw new Error('a newer run uses it');
    if (found !== null && found.wipedEpoch < wipedEpoch) await this.remove();
    const kept =
      found !== null && found.wipedEpoch >= wipedEpoch
        ? found
        : { session: this.#session, wipedEpoch, profileId: randomUUID(), isLinked: false, account: null };
    const note = { ...kept, epoch, isWanted: true, record };
    if (!(await exists(this.dir))) await this.restoreReplaced();
    await mkdir(this.dir, { recursive: true, mode: 0o700 });
    await this.writeNote(note);
    await this.unlock();
    return note;
  }

  async remove(): Promise<void> {
    await Promise.all([removeFolder(this.dir), removeFolder(this.#replacedDir), this.#removeLeftovers()]);
    await this.removeStorage();
    await rm(this.#noteFile, { force: true });
  }

  /** Whether there is too little space for a browser to open its databases. */
  async isDiskFull(): Promise<boolean> {
    const { bavail, bsize } = await statfs(dirname(this.dir));
    return bavail * bsize < neededBytes;
  }

  readNote(): Promise<ProfileNote | null> {
    return readNote(this.#noteFile);
  }

  writeNote(note: ProfileNote): Promise<void> {
    return writeNote(this.#noteFile, note);
  }

  /** Writes what a run has learned, unless the profile belongs to another run by now ({@link amendNote}). */
  amendNote(note: ProfileNote, isHeld: () => boolean): Promise<void> {
    return amendNote(this.#noteFile, note, isHeld);
  }

  /** What the login needs that Chromium has not written yet; null: nothing. */
  readStorage(): Promise<LoginStorage | null> {
    return readJsonFile(this.#storageFile, storageSchema);
  }

  writeStorage(storage: LoginStorage): Promise<void> {
    return writePrivateFile(this.#storageFile, JSON.stringify(storage));
  }

  removeStorage(): Promise<void> {
    return rm(this.#storageFile, { force: true });
  }

  /** Removes a dead browser's locks, and ends a browser that still runs. */
  unlock(): Promise<void> {
    return unlockProfile(this.dir);
  }

  /** Removes copies and unfinished restores of a supervisor that was killed. */
  async #removeLeftovers(): Promise<void> {
    const [parent, name] = [dirname(this.dir), basename(this.dir)];
    const found = await readdir(parent).catch(() => []);
    const left = found.filter(
      (it) => it.startsWith(`${name}.snapshot-`) || it.startsWith(`${name}.restore-`),
    );
    await Promise.all(left.map((it) => removeFolder(join(parent, it))));
  }
}

function removeFolder(dir: string): Promise<void> {
  return rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}
