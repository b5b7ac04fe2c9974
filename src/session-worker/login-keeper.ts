import { messageOf } from '../contract/errors.js';
import type { Account } from '../contract/status.js';
import type { FromThread, LoginStorage } from '../contract/thread-messages.js';
import { deferred, withDeadline } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';

interface LoginKeeperOptions {
  readonly keepLoginMs: number;
  readonly readStorage: () => Promise<LoginStorage | undefined>;
  readonly say: (message: FromThread) => void;
  readonly log: Logger;
}

/** Sees to it that a fresh login outlives its browser before anybody counts on it. */
export class LoginKeeper {
  readonly #options: LoginKeeperOptions;
  readonly #kept = deferred<void>();
  #keeping: Promise<void> | null = null;
  #isOver = false;
  #told: Promise<void> = Promise.resolve();

  constructor(options: LoginKeeperOptions) {
    this.#options = options;
  }

  /** The supervisor has it. */
  kept(): void {
    this.#kept.resolve();
  }

  /** `ready` waits for it. */
  get isWaiting(): boolean {
    return this.#keeping !== null && !this.#isOver;
  }

  /** `ready` means that nobody has to scan again: a login that a kill would lose is not there yet. Never rejects. */
  keep(account: Account): Promise<void> {
    this.#keeping ??= this.#keep(account);
    return this.#keeping;
  }

  /** Resolves when the supervisor knows of the newest login, or nothing can be read of it. Never rejects. */
  get told(): Promise<void> {
    return this.#told;
  }

  /** Tells the supervisor of a login that the browser may not have written yet. */
  tell(account: Account | null): Promise<void> {
    const told = this.#tell(account);
    this.#told = told.catch(() => undefined);
    return told;
  }

  async #tell(account: Account | null): Promise<void> {
    const storage = await this.#options.readStorage();
    if (storage !== undefined) this.#options.say({ type: 'login', storage, account });
  }

  async #keep(account: Account): Promise<void> {
    const kept = this.tell(account).then(() => this.#kept.promise);
    await withDeadline(kept, this.#options.keepLoginMs, 'the supervisor').catch((error) =>
      this.#options.log.warn({ reason: messageOf(error) }, 'a kill in the next seconds would lose the login'),
    );
    this.#isOver = true;
  }
}
