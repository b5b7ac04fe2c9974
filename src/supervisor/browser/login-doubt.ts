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
 * WhatsApp must ask a linked profile for a login this often in a row before the login counts as void: what is deleted then
 * does not come back.
 */
const convincingLoginRequests = 2;

/** After this many failed starts in a row, the profile may be the cause. */
const suspiciousStarts = 2;

/**
 * What speaks against the login in a session's profile. It decides when a snapshot of the login takes the profile's place,
 * and when the login is void.
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
  loginRequested(): void {
    this.#reason = 'login';
    this.#loginRequests++;
  }

  /** The account is `ready`: the login works. */
  loginWorked(): void {
    this.#restorer.trust();
    this.#loginRequests = 0;
  }

  /** The login was wiped: nothing is left to doubt. */
  loginWiped(): void {
    this.#reason = null;
    this.#loginRequests = 0;
  }

  /** The profile's files cannot be used. */
  profileFailed(): void {
    this.#reason ??= 'start';
  }

  browserStarted(): void {
    this.#failedStarts = 0;
  }

  /** Whether the profile may be the cause, and must be prepared anew before the next start. */
  browserFailed({ code, cause }: HoldlineError): boolean {
    // It came up and ended by itself. A missing browser or a slow machine is not the profile's fault.
    const isProfileSuspect = code === 'browser_failed_to_start' && cause === undefined;
    if (!isProfileSuspect || ++this.#failedStarts < suspiciousStarts) return false;
    this.#failedStarts = 0;
    this.#reason = 'start';
    return true;
  }

  /**
   * Restores the login from its backup if that is better than what the profile has. Throws {@link ProfileError},
   * {@link LoginVoidError}, and what {@link LoginRestorer.restore} throws.
   */
  async restoreIfBetter(wipedEpoch: number, abandon: AbortSignal): Promise<void> {
    const reason = this.#reason;
    const { epoch, isGood } = await this.#profile.inspect(wipedEpoch).catch((error) => {
      throw new ProfileError(this.#profile.dir, error);
    });
    const local = { epoch, isGood: isGood && reason === null };
    const restored = await this.#restorer.restore(local, wipedEpoch, abandon).catch((error) => {
      // The local login may still be good: that a browser does not start can have other causes.
      if (reason === 'start' && isGood && error instanceof UnreadableBackupError) return null;
      throw error;
    });
    const isVoid = reason === 'login' && this.#loginRequests >= convincingLoginRequests;
    if (restored === null && isVoid) throw new LoginVoidError();
    // The browser started on no other login either: then nothing speaks against the newest one.
    if (restored === null && reason === 'start') await this.#profile.restoreReplaced();
    this.#reason = null;
  }
}
