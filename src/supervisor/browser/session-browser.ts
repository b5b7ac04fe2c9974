import { HoldlineError, messageOf } from '../../contract/errors.js';
import type { Account } from '../../contract/status.js';
import type { LoginStorage } from '../../contract/thread-messages.js';
import type { Config } from '../../platform/config/config.js';
import { unlessAborted } from '../../platform/deadline.js';
import type { Logger } from '../../platform/logger.js';
import { UnreadableBackupError } from '../credentials/errors.js';
import { LoginRestorer } from '../credentials/login-restorer.js';
import type { SnapshotStore } from '../credentials/snapshot-store.js';
import type { LoginSource } from '../credentials/take-snapshot.js';
import { type Browser, type BrowserLease, launchBrowser } from './browser.js';
import { browserSettings } from './browser-settings.js';
import { FreshLogin } from './fresh-login.js';
import { Profile, type ProfileNote } from './profile.js';

/** The directory of the profile cannot be read or written. */
class ProfileError extends HoldlineError {
  constructor(dir: string, cause: unknown) {
    const message = `the profile directory ${dir} cannot be used: ${messageOf(cause)}`;
    super('profile_unusable', message, { cause, retryable: true });
  }
}

/** The login does not work, and no snapshot of it is left to try. */
class LoginVoidError extends HoldlineError {
  constructor() {
    super('logged_out', 'the login is gone, here and in its backup; scan a new QR');
  }
}

interface SessionBrowserOptions {
  readonly config: Config;
  readonly session: string;
  readonly lease: BrowserLease;
  readonly snapshots: SnapshotStore;
  /** Of the run, as it is now: the note beside the profile follows it. */
  readonly epoch: () => number;
  /** No grace periods from now on. */
  readonly forced: AbortSignal;
  readonly log: Logger;
}

/** So often in a row must WhatsApp have asked a linked profile for a login: what is deleted then does not come back. */
const convincingAsks = 2;

/** After so many starts in a row that failed, something in the profile may be why. */
const suspiciousStarts = 2;

/** A session's profile and the browser on it: at most one, under the run's lease. */
export class SessionBrowser {
  readonly #options: SessionBrowserOptions;
  readonly #profile: Profile;
  /** null: the profile has to be prepared first. */
  #note: ProfileNote | null = null;
  #wipedEpoch = 0;
  #browser: Browser | null = null;
  readonly #freshLogin: FreshLogin;
  /** One note after another, so that the newest stands in the end. */
  #noteWritten: Promise<void> = Promise.resolve();
  readonly #restorer: LoginRestorer;
  /** What speaks against the profile: WhatsApp asked it for a login, or no browser starts on it. */
  #doubt: 'login' | 'start' | null = null;
  #failedStarts = 0;
  #asksInRow = 0;

  constructor(options: SessionBrowserOptions) {
    this.#options = options;
    this.#profile = new Profile(options.config.authDir, options.session);
    this.#freshLogin = new FreshLogin(this.#profile, options.log);
    this.#restorer = new LoginRestorer({
      snapshots: options.snapshots,
      profile: this.#profile,
      log: options.log,
    });
  }

  /** Voids the profile where it is older than this. */
  set wipedEpoch(epoch: number) {
    this.#wipedEpoch = epoch;
  }

  get wipedEpoch(): number {
    return this.#wipedEpoch;
  }

  /** null while there is no profile that a page could run on. */
  get profileId(): string | null {
    return this.#note?.profileId ?? null;
  }

  /** The browser that there is now. */
  get facts(): { readonly pid: number; readonly ageMs: number } | null {
    return this.#browser?.isAlive ? { pid: this.#browser.pid, ageMs: this.#browser.ageMs } : null;
  }

  /** What the page of the next thread must be given before it loads. */
  get loginStorage(): LoginStorage | null {
    return this.#freshLogin.storage;
  }

  /** What is known here of the session from earlier runs, whatever Redis has lost. */
  readNote(): Promise<ProfileNote | null> {
    return this.#profile.readNote();
  }

  /** What a snapshot is taken of; null: there is no login. */
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
   * Makes the profile usable for the run, from its backup where that is better. Throws
   * {@link ProfileError}, and whatever keeps the login from being restored: a code that is an exit reason.
   */
  async prepare(abandon: AbortSignal): Promise<ProfileNote> {
    if (this.#note !== null) return this.#note;
    await this.#restoreIfBetter(abandon);
    try {
      const note = await this.#profile.prepare(this.#wipedEpoch, this.#options.epoch());
      await this.#freshLogin.load();
      this.#note = note;
      await this.noteEpoch();
      return note;
    } catch (error) {
      this.#doubt ??= 'start';
      throw new ProfileError(this.#profile.dir, error);
    }
  }

  /** WhatsApp asks this profile for a login although it was linked: its data may be lost. */
  async doubtLogin(): Promise<void> {
    await this.kill();
    this.#note = null;
    this.#doubt = 'login';
    this.#asksInRow++;
  }

  /**
   * Once the thread is gone: closes its pages for the next one; where another browser is wanted, or this one does not
   * close them in time, ends the browser.
   */
  async clear(rung: 'thread' | 'browser'): Promise<void> {
    const { pageCloseMs } = this.#options.config.timing;
    const isKept =
      rung === 'thread' && this.#browser?.isAlive && (await this.#browser.renewPages(pageCloseMs));
    if (isKept) return;
    await this.stop();
    this.#browser = null;
  }

  /** The living browser, cleared before, else a new one on the same profile. */
  async open(abandon: AbortSignal): Promise<Browser> {
    if (this.#browser?.isAlive) return this.#browser;
    // Chromium that opens a fresh login without room for it has been seen to destroy it.
    if (await this.#profile.isDiskFull()) {
      throw new ProfileError(this.#profile.dir, new Error('its disk is full'));
    }
    await this.#profile.unlock();
    this.#browser = await this.#launch(abandon);
    return this.#browser;
  }

  /**
   * Keeps a login that the browser has not written yet; with an account it has synced. Resolves when a kill of
   * everything costs no new scan any more.
   */
  async keepLogin(storage: LoginStorage, account: Account | null): Promise<void> {
    await this.#freshLogin.keep(storage);
    if (account !== null) await this.#amendNote({ isLinked: true, account });
  }

  /** The account is `ready` on this profile. */
  async noteLinked(account: Account | null): Promise<void> {
    const { loginSettleMs } = this.#options.config.timing;
    if (this.#browser !== null) this.#freshLogin.settleAfter(loginSettleMs, this.#browser.exited);
    this.#restorer.trust();
    this.#asksInRow = 0;
    await this.#amendNote({ isLinked: true, account });
    await this.#profile
      .dropSetAside()
      .catch((error) => this.#options.log.warn({ err: error }, 'a replaced profile was not removed'));
  }

  /** The run may go on under another epoch. */
  async noteEpoch(): Promise<void> {
    const epoch = this.#options.epoch();
    if (this.#note !== null && this.#note.epoch !== epoch) await this.#amendNote({ epoch });
  }

  /** A profile that is not linked shows a QR: what was kept of a login leads nowhere. */
  noteUnlinked(): Promise<void> {
    return this.#freshLogin.settle();
  }

  /** The session shall not run any more, until somebody starts it. */
  noteUnwanted(): Promise<void> {
    return this.#amendNote({ isWanted: false });
  }

  /** Gracefully while a fresh login is on its way to the disk. */
  async stop(): Promise<void> {
    if (this.#browser === null) return;
    const { browserTermGraceMs, browserFlushGraceMs } = this.#options.config.timing;
    const graceMs = this.#freshLogin.storage === null ? browserTermGraceMs : browserFlushGraceMs;
    await Promise.all([this.#browser.stop(graceMs, this.#options.forced), this.#freshLogin.written]);
  }

  async kill(): Promise<void> {
    await this.#browser?.kill();
  }

  /** Resolves when no file beside the profile is on its way any more. */
  async written(): Promise<void> {
    await Promise.all([this.#noteWritten, this.#freshLogin.written]);
  }

  /** The login is void. Where the removal fails, the mark of the wipe voids the profile all the same. */
  async wipe(epoch: number): Promise<void> {
    this.#wipedEpoch = epoch;
    this.#note = null;
    this.#doubt = null;
    this.#asksInRow = 0;
    await this.kill();
    await this.#freshLogin.settle();
    // A note that is still on its way would bring the session back.
    await this.#noteWritten;
    await this.#profile
      .remove()
      .catch((error) => this.#options.log.error({ err: error }, 'profile not removed'));
  }

  async #restoreIfBetter(abandon: AbortSignal): Promise<void> {
    const doubt = this.#doubt;
    const { epoch, isGood } = await this.#profile.takeStock(this.#wipedEpoch).catch((error) => {
      throw new ProfileError(this.#profile.dir, error);
    });
    const local = { epoch, isGood: isGood && doubt === null };
    const restored = await this.#restorer.restore(local, this.#wipedEpoch, abandon).catch((error) => {
      // What is here may still be good: the browser did not start, for whatever reason.
      if (doubt === 'start' && isGood && error instanceof UnreadableBackupError) return null;
      throw error;
    });
    if (restored === null && doubt === 'login' && this.#asksInRow >= convincingAsks)
      throw new LoginVoidError();
    // No other login made the browser start either: then nothing speaks against the newest.
    if (restored === null && doubt === 'start') await this.#profile.putBack();
    this.#doubt = null;
  }

  async #launch(abandon: AbortSignal): Promise<Browser> {
    const { config, lease, log } = this.#options;
    try {
      const settings = await unlessAborted(
        browserSettings(config, (why) => log.warn({ why }, 'the browser says that it has no window')),
        abandon,
      );
      const browser = await launchBrowser({ ...settings, profileDir: this.#profile.dir, lease, abandon });
      this.#failedStarts = 0;
      return browser;
    } catch (error) {
      const { code, cause } = error as HoldlineError;
      // It came up and ended by itself; that there is no browser, or a slow machine, is not the profile's fault.
      const isProfileSuspect = code === 'browser_failed_to_start' && cause === undefined && !abandon.aborted;
      if (isProfileSuspect && ++this.#failedStarts >= suspiciousStarts) {
        this.#failedStarts = 0;
        this.#note = null;
        this.#doubt = 'start';
      }
      throw error;
    }
  }

  async #amendNote(change: Partial<ProfileNote>): Promise<void> {
    if (this.#note === null) return;
    const note = { ...this.#note, ...change };
    this.#note = note;
    this.#noteWritten = this.#noteWritten
      .then(() => this.#profile.amendNote(note, () => this.#options.lease.isHeld))
      .catch((error) => this.#options.log.error({ err: error }, 'profile note not written'));
    await this.#noteWritten;
  }
}
