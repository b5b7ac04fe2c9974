import { HoldlineError, messageOf } from '../contract/errors.js';
import type { Account } from '../contract/status.js';
import type { LoginStorage } from '../contract/thread-messages.js';
import type { Config } from '../platform/config.js';
import type { Logger } from '../platform/logger.js';
import { type Browser, type BrowserLease, launchBrowser } from './browser.js';
import { FreshLogin } from './fresh-login.js';
import { Profile, type ProfileNote } from './profile.js';

/** The directory of the profile cannot be read or written. */
export class ProfileError extends HoldlineError {
  constructor(dir: string, cause: unknown) {
    const message = `the profile directory ${dir} cannot be used: ${messageOf(cause)}`;
    super('profile_unusable', message, { cause, retryable: true });
  }
}

interface SessionBrowserOptions {
  readonly config: Config;
  readonly session: string;
  readonly lease: BrowserLease;
  /** No grace periods from now on. */
  readonly forced: AbortSignal;
  readonly log: Logger;
}

/** Time in which a browser must close the pages of an earlier thread to be used again. */
const pageCloseMs = 2_000;

/** A session's profile and the browser on it: at most one, under the run's lease. */
export class SessionBrowser {
  readonly #options: SessionBrowserOptions;
  readonly #profile: Profile;
  /** null: the profile has to be prepared first. */
  #note: ProfileNote | null = null;
  #wipedEpoch = 0;
  #browser: Browser | null = null;
  readonly #freshLogin: FreshLogin;

  constructor(options: SessionBrowserOptions) {
    this.#options = options;
    this.#profile = new Profile(options.config.authDir, options.session);
    this.#freshLogin = new FreshLogin(this.#profile, options.log);
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

  /** Makes the profile usable for the run of `epoch`; throws {@link ProfileError}. */
  async prepare(epoch: number): Promise<ProfileNote> {
    try {
      if (this.#note === null) {
        this.#note = await this.#profile.prepare(this.#wipedEpoch, epoch);
        await this.#freshLogin.load();
      }
      return this.#note;
    } catch (error) {
      throw new ProfileError(this.#profile.dir, error);
    }
  }

  /**
   * Once the thread is gone: closes its pages for the next one; where another browser is wanted, or this one does not
   * close them in time, ends the browser.
   */
  async clear(rung: 'thread' | 'browser'): Promise<void> {
    const isKept =
      rung === 'thread' && this.#browser?.isAlive && (await this.#browser.closePages(pageCloseMs));
    if (isKept) return;
    await this.stop();
    this.#browser = null;
  }

  /** The living browser, cleared before, else a new one on the same profile. */
  async open(abandon: AbortSignal): Promise<Browser> {
    const { config, lease } = this.#options;
    if (this.#browser?.isAlive) return this.#browser;
    await this.#profile.unlock();
    this.#freshLogin.browserStarts();
    this.#browser = await launchBrowser({
      executable: config.chromeExecutable,
      profileDir: this.#profile.dir,
      headless: config.headless,
      extraArgs: config.chromeArgs,
      environment: config.browserEnvironment,
      timing: config.timing,
      lease,
      abandon,
    });
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
    await this.#amendNote({ isLinked: true, account });
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
    await this.#browser.stop(graceMs, this.#options.forced);
    if ((await this.#browser.exited) === 'exit code 0') await this.#freshLogin.browserEnded();
  }

  async kill(): Promise<void> {
    await this.#browser?.kill();
  }

  /** The login is void. Where the removal fails, the mark of the wipe voids the profile all the same. */
  async wipe(epoch: number): Promise<void> {
    this.#wipedEpoch = epoch;
    this.#note = null;
    await this.kill();
    await this.#freshLogin.settle();
    await this.#profile
      .remove()
      .catch((error) => this.#options.log.error({ err: error }, 'profile not removed'));
  }

  async #amendNote(change: Partial<ProfileNote>): Promise<void> {
    if (this.#note === null) return;
    this.#note = { ...this.#note, ...change };
    await this.#profile
      .writeNote(this.#note)
      .catch((error) => this.#options.log.error({ err: error }, 'profile note not written'));
  }
}
