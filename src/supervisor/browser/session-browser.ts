import { isDeepStrictEqual } from 'node:util';
import type { HoldlineError } from '../../contract/errors.js';
import type { SessionRecord } from '../../contract/session-record.js';
import type { Account } from '../../contract/status.js';
import type { LoginStorage } from '../../contract/thread-messages.js';
import type { Config } from '../../platform/config/config.js';
import type { Logger } from '../../platform/logger.js';
import type { SnapshotStore } from '../credentials/snapshot-store.js';
import type { LoginSource } from '../credentials/take-snapshot.js';
import type { Browser, BrowserLease, BrowserProxy } from './browser.js';
import { FreshLogin } from './fresh-login.js';
import { launchConfigured } from './launch-configured.js';
import { LoginDoubt } from './login-doubt.js';
import { Profile, ProfileError } from './profile.js';
import type { ProfileNote } from './profile-note.js';

interface SessionBrowserOptions {
  readonly config: Config;
  readonly session: string;
  readonly record: () => SessionRecord;
  readonly lease: BrowserLease;
  readonly snapshots: SnapshotStore;
  /** The proxy that is configured; null: none. Throws if it cannot be used: there must be no browser without it. */
  readonly proxy: () => BrowserProxy | null;
  /** The run's current epoch, which the note beside the profile records. */
  readonly epoch: () => number;
  /** No grace periods from now on. */
  readonly forced: AbortSignal;
  readonly log: Logger;
}

/** A session's profile, and at most one browser on it, which lives under the run's lease. */
export class SessionBrowser {
  readonly #options: SessionBrowserOptions;
  readonly #profile: Profile;
  readonly #freshLogin: FreshLogin;
  readonly #doubt: LoginDoubt;
  /** null: the profile must be prepared first. */
  #note: ProfileNote | null = null;
  #wipedEpoch = 0;
  #browser: Browser | null = null;
  /** The writes of the note, one after another, so that the newest is last. */
  #noteWritten: Promise<void> = Promise.resolve();

  constructor(options: SessionBrowserOptions) {
    const { config, session, snapshots, lease, log } = options;
    this.#options = options;
    this.#profile = new Profile(config.authDir, session);
    this.#freshLogin = new FreshLogin(this.#profile, () => lease.isHeld, log);
    this.#doubt = new LoginDoubt({ snapshots, profile: this.#profile, log });
  }

  /** A profile from before this epoch is void. */
  set wipedEpoch(epoch: number) {
    this.#wipedEpoch = epoch;
  }

  get wipedEpoch(): number {
    return this.#wipedEpoch;
  }

  /** null: the profile is not prepared. */
  get profileId(): string | null {
    return this.#note?.profileId ?? null;
  }

  /** The living browser; null: there is none. */
  get running(): { readonly pid: number; readonly ageMs: number } | null {
    return this.#browser?.isAlive ? { pid: this.#browser.pid, ageMs: this.#browser.ageMs } : null;
  }

  /** What the page of the next thread must get before it loads. */
  get loginStorage(): LoginStorage | null {
    return this.#freshLogin.storage;
  }

  /** false: it is certain that this profile has no login. */
  get mayBeLinked(): boolean {
    return this.#note?.isLinked !== false || this.loginStorage !== null;
  }

  /** What this machine knows about earlier runs, even if Redis has lost it. */
  readNote(): Promise<ProfileNote | null> {
    return this.#profile.readNote();
  }

  /** The login for a snapshot; null: there is none. */
  get login(): LoginSource | null {
    if (this.#note?.isLinked !== true) return null;
    return {
      profileDir: this.#profile.dir,
      account: this.#note.account,
      wipedEpoch: this.#wipedEpoch,
      storage: this.#freshLogin.storage,
      whileFrozen: (work) => this.#browser?.whileFrozen(work) ?? work(),
    };
  }

  /**
   * Makes the profile usable for the run. Restores it from its backup if that is better. Throws a {@link ProfileError}, or the
   * error that prevents the restore; the `code` of each is an exit reason.
   */
  async prepare(abandon: AbortSignal): Promise<ProfileNote> {
    if (this.#note !== null) return this.#note;
    await this.#doubt.restoreIfBetter(this.#wipedEpoch, abandon);
    try {
      const note = await this.#profile.prepare(
        this.#wipedEpoch,
        this.#options.epoch(),
        this.#options.record(),
      );
      await this.#freshLogin.load();
      this.#note = note;
      await this.noteRun();
      return note;
    } catch (error) {
      this.#doubt.onProfileFailed();
      throw new ProfileError(this.#profile.dir, error);
    }
  }

  /** WhatsApp asks this profile for a login although it was linked: the backup may have to replace it. */
  async doubtLogin(): Promise<void> {
    await this.kill();
    this.#note = null;
    this.#doubt.onLoginRequested();
  }

  /**
   * Cleans up after a thread that is gone: closes its pages for the next one. Ends the browser instead if it must be
   * replaced, or if it does not close the pages in time.
   */
  async clear(restartLevel: 'thread' | 'browser'): Promise<void> {
    const { pageCloseMs } = this.#options.config.timing;
    const isKept =
      restartLevel === 'thread' && this.#browser?.isAlive && (await this.#browser.renewPages(pageCloseMs));
    if (isKept) return;
    await this.stop();
    this.#browser = null;
  }

  /** Returns the living browser, which must have been cleared, or starts one on the same profile, also for another proxy. */
  async open(abandon: AbortSignal): Promise<Browser> {
    const proxy = this.#options.proxy();
    if (this.#browser?.isAlive && isDeepStrictEqual(this.#browser.proxy, proxy)) return this.#browser;
    await this.stop();
    // Chromium has been seen to destroy a fresh login when it opened it on a full disk.
    if (await this.#profile.isDiskFull()) {
      throw new ProfileError(this.#profile.dir, new Error('its disk is full'));
    }
    await this.#profile.unlock();
    this.#browser = await this.#launch(proxy, abandon);
    return this.#browser;
  }

  /**
   * Stores a login that the browser has not written yet. `account`: null until the account has synced. Once it resolves, not
   * even a kill of all processes costs a new scan.
   */
  async keepLogin(storage: LoginStorage, account: Account | null): Promise<void> {
    await this.#freshLogin.keep(storage);
    if (account !== null) await this.#amendNote({ isLinked: true, account });
  }

  /** The account is `ready` on this profile. */
  async noteLinked(account: Account | null): Promise<void> {
    const { loginSettleMs } = this.#options.config.timing;
    if (this.#browser !== null) this.#freshLogin.settleAfter(loginSettleMs, this.#browser.exited);
    this.#doubt.onLoginWorked();
    await this.#amendNote({ isLinked: true, account });
    await this.#profile
      .removeReplaced()
      .catch((error) => this.#options.log.warn({ err: error }, 'could not remove a replaced profile'));
  }

  /** The run's epoch, or what is configured of the session, may have changed. */
  async noteRun(): Promise<void> {
    const [epoch, record] = [this.#options.epoch(), this.#options.record()];
    const isSame = this.#note?.epoch === epoch && isDeepStrictEqual(this.#note.record, record);
    if (!isSame) await this.#amendNote({ epoch, record });
  }

  /** The profile shows a QR, so it is not linked: the stored copy of a login is useless. */
  noteUnlinked(): Promise<void> {
    return this.#freshLogin.settle();
  }

  /** The session must not run again until it is started. */
  noteUnwanted(): Promise<void> {
    return this.#amendNote({ isWanted: false });
  }

  /** Ends the browser. It gets more time while it writes a fresh login to the disk. */
  async stop(): Promise<void> {
    if (this.#browser === null) return;
    const { browserTermGraceMs, browserFlushGraceMs } = this.#options.config.timing;
    const graceMs = this.#freshLogin.storage === null ? browserTermGraceMs : browserFlushGraceMs;
    await Promise.all([this.#browser.stop(graceMs, this.#options.forced), this.#freshLogin.written]);
  }

  async kill(): Promise<void> {
    await this.#browser?.kill();
  }

  /** Resolves when every file beside the profile is written. */
  async written(): Promise<void> {
    await Promise.all([this.#noteWritten, this.#freshLogin.written]);
  }

  /** The login is void: removes the profile. If that fails, the epoch of the wipe in Redis still voids it. */
  async wipe(epoch: number): Promise<void> {
    this.#wipedEpoch = epoch;
    this.#note = null;
    this.#doubt.onLoginWiped();
    await this.kill();
    await this.#freshLogin.settle();
    // A note written after the removal would bring the session back.
    await this.#noteWritten;
    await this.#profile
      .remove()
      .catch((error) =>
        this.#options.log.error({ err: error }, 'could not remove the profile of a login that has ended'),
      );
  }

  async #launch(proxy: BrowserProxy | null, abandon: AbortSignal): Promise<Browser> {
    const { config, lease, log } = this.#options;
    try {
      const own = { profileDir: this.#profile.dir, proxy, lease, abandon };
      const browser = await launchConfigured(config, own, log);
      this.#doubt.onBrowserStarted();
      return browser;
    } catch (error) {
      if (!abandon.aborted && this.#doubt.onBrowserFailed(error as HoldlineError)) this.#note = null;
      throw error;
    }
  }

  async #amendNote(change: Partial<ProfileNote>): Promise<void> {
    if (this.#note === null) return;
    const note = { ...this.#note, ...change };
    this.#note = note;
    this.#noteWritten = this.#noteWritten
      .then(() => this.#profile.amendNote(note, () => this.#options.lease.isHeld))
      .catch((error) =>
        this.#options.log.error({ err: error }, 'could not write the note beside the profile'),
      );
    await this.#noteWritten;
  }
}
