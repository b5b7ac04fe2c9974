import { HoldlineError } from '../../contract/errors.js';
import type { Logger } from '../../platform/logger.js';
import { UnreadableBackupError } from '../credentials/errors.js';
import type { SnapshotStore } from '../credentials/snapshot-store.js';
import { LoginRestorer } from './login-restorer.js';
import { type Profile, ProfileError } from './profile.js';

/** The login does not work, and no snapshot of it is left to try. */
class LoginVoidError extends HoldlineError {
  constructor() {
    super('logged_out', 'the login is gone, here and in its backup; scan a new QR');
  }
}

interface LoginDoubtOptions {
  readonly profile: Profile;
  readonly snapshots: SnapshotStore;
  readonly log: Logger;
}

/**
 * After WhatsApp has asked a linked profile for a login this many times in a row, the login counts as void. One time is not
 * enough, because a deleted login cannot be brought back.
 */
const convincingLoginRequests = 2;

/** After this many failed starts in a row, the profile may be the cause. */
const suspiciousStarts = 2;

/**
 * Collects the signs that the login in a session's profile does not work. Decides when a snapshot of the login replaces the
 * profile, and when the login is void.
 */
export class LoginDoubt {
  readonly #profile: Profile;
  readonly #restorer: LoginRestorer;
  /** WhatsApp asked the profile for a login, or no browser starts on it. */
  #reason: 'login' | 'start' | null = null;
  #failedStarts = 0;
  #loginRequests = 0;

  constructor({ profile, snapshots, log }: LoginDoubtOptions) {
    this.#profile = profile;
    this.#restorer = new LoginRestorer({ snapshots, profile, log });
  }

  /** WhatsApp asks the profile for a login although it was linked: its data may be lost. */
  onLoginRequested(): void {
    this.#reason = 'login';
    this.#loginRequests++;
  }

  /** The account is `ready`: the login works. */
  onLoginWorked(): void {
    this.#restorer.forgetTried();
    this.#loginRequests = 0;
  }

  /** The login was wiped: there is no login to doubt any more. */
  onLoginWiped(): void {
    this.#reason = null;
    this.#loginRequests = 0;
  }

  /** The profile's files cannot be used. */
  onProfileFailed(): void {
    this.#reason ??= 'start';
  }

  onBrowserStarted(): void {
    this.#failedStarts = 0;
  }

  /** Whether the profile may be the cause, and must be prepared again before the next start. */
  onBrowserFailed({ code, cause }: HoldlineError): boolean {
    // The browser started and exited by itself. A missing browser or a slow machine is not the profile's fault.
    const isProfileSuspect = code === 'browser_failed_to_start' && cause === undefined;
    if (!isProfileSuspect || ++this.#failedStarts < suspiciousStarts) return false;
    this.#failedStarts = 0;
    this.#reason = 'start';
    return true;
  }

  /**
   * Restores the login from its backup if that is better than the login in the profile. Throws {@link ProfileError},
   * {@link LoginVoidError}, and the errors of {@link LoginRestorer.restore}.
   */
  async restoreIfBetter(wipedEpoch: number, abandon: AbortSignal): Promise<void> {
    const reason = this.#reason;
    const { epoch, isGood } = await this.#profile.inspect(wipedEpoch).catch((error) => {
      throw new ProfileError(this.#profile.dir, error);
    });
    const local = { epoch, isGood: isGood && reason === null };
    const restored = await this.#restorer.restore(local, wipedEpoch, abandon).catch((error) => {
      // The local login may still be good: there are other reasons why a browser does not start.
      if (reason === 'start' && isGood && error instanceof UnreadableBackupError) return null;
      throw error;
    });
    const isVoid = reason === 'login' && this.#loginRequests >= convincingLoginRequests;
    if (restored === null && isVoid) throw new LoginVoidError();
    // The browser did not start on any other login either, so the newest one may be good.
    if (restored === null && reason === 'start') await this.#profile.restoreReplaced();
    this.#reason = null;
  }
}
