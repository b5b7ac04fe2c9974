import { messageOf } from '../contract/errors.js';
import type { Account } from '../contract/status.js';
import type { FromThread, LoginStorage } from '../contract/thread-messages.js';
import { deferred, withDeadline } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';

interface LoginKeeperOptions {
  readonly keepLoginMs: number;
  /** undefined: there is no page yet. */
  readonly readStorage: () => Promise<LoginStorage | undefined>;
  readonly post: (message: FromThread) => void;
  readonly log: Logger;
}

/**
 * Hands a fresh login to the supervisor, which keeps it until the browser has written it to the disk. Chromium writes it some
 * seconds late. A kill before that would lose the login.
 */
export class LoginKeeper {
  readonly #options: LoginKeeperOptions;
  readonly #kept = deferred<void>();
  #keeping: Promise<void> | null = null;
  #isSettled = false;
  #posted: Promise<void> = Promise.resolve();

  constructor(options: LoginKeeperOptions) {
    this.#options = options;
  }

  /** The supervisor has saved the login. */
  onKept(): void {
    this.#kept.resolve();
  }

  /** {@link keep} has begun and not settled. */
  get isKeeping(): boolean {
    return this.#keeping !== null && !this.#isSettled;
  }

  /** Resolves when the supervisor has saved the login, or after `keepLoginMs`. `ready` waits for it. Never rejects. */
  keep(account: Account): Promise<void> {
    this.#keeping ??= this.#keep(account);
    return this.#keeping;
  }

  /** Resolves when the newest login has been posted, or could not be read. Never rejects. */
  get posted(): Promise<void> {
    return this.#posted;
  }

  /** Posts a login that the browser may not have written to the disk yet. `account`: null before it has synced. */
  post(account: Account | null): Promise<void> {
    const posted = this.#post(account);
    this.#posted = posted.catch(() => undefined);
    return posted;
  }

  async #post(account: Account | null): Promise<void> {
    const storage = await this.#options.readStorage();
    if (storage !== undefined) this.#options.post({ type: 'login', storage, account });
  }

  async #keep(account: Account): Promise<void> {
    const saved = this.post(account).then(() => this.#kept.promise);
    await withDeadline(saved, this.#options.keepLoginMs, 'the supervisor').catch((error) =>
      this.#options.log.warn(
        { reason: messageOf(error) },
        'the supervisor did not save the fresh login in time; a kill now would lose it',
      ),
    );
    this.#isSettled = true;
  }
}
