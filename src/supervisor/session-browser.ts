import { HoldlineError, messageOf } from '../contract/errors.js';
import type { Account } from '../contract/status.js';
import type { Config } from '../platform/config.js';
import type { Logger } from '../platform/logger.js';
import { type Browser, type BrowserLease, launchBrowser } from './browser.js';
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
  #loginFreshUntil = 0;

  constructor(options: SessionBrowserOptions) {
    this.#options = options;
    this.#profile = new Profile(options.config.authDir, options.session);
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

  /** Makes the profile usable; throws {@link ProfileError}. */
  async prepare(): Promise<ProfileNote> {
    try {
      this.#note ??= await this.#profile.prepare(this.#wipedEpoch);
      return this.#note;
    } catch (error) {
      throw new ProfileError(this.#profile.dir, error);
    }
  }

  /** For a new thread the living browser with all old pages closed; else a new one on the same profile. */
  async open(rung: 'thread' | 'browser', abandon: AbortSignal): Promise<Browser> {
    const { config, lease } = this.#options;
    const isKept =
      rung === 'thread' && this.#browser?.isAlive && (await this.#browser.closePages(pageCloseMs));
    if (isKept && this.#browser !== null) return this.#browser;
    await this.stop();
    await this.#profile.unlock();
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

  /** The account is `ready` on this profile. */
  async noteLinked(account: Account | null): Promise<void> {
    const { config, log } = this.#options;
    if (this.#note === null) return;
    if (!this.#note.isLinked) this.#loginFreshUntil = performance.now() + config.timing.loginSettleMs;
    this.#note = { ...this.#note, isLinked: true, account };
    await this.#profile
      .writeNote(this.#note)
      .catch((error) => log.error({ err: error }, 'profile note not written'));
  }

  /** Gracefully while a fresh login is on its way to the disk. */
  async stop(): Promise<void> {
    const { browserTermGraceMs, browserFlushGraceMs } = this.#options.config.timing;
    const isFresh = performance.now() < this.#loginFreshUntil;
    await this.#browser?.stop(isFresh ? browserFlushGraceMs : browserTermGraceMs, this.#options.forced);
  }

  async kill(): Promise<void> {
    await this.#browser?.kill();
  }

  /** The login is void. Where the removal fails, the mark of the wipe voids the profile all the same. */
  async wipe(epoch: number): Promise<void> {
    this.#wipedEpoch = epoch;
    this.#note = null;
    await this.kill();
    await this.#profile
      .remove()
      .catch((error) => this.#options.log.error({ err: error }, 'profile not removed'));
  }
}
