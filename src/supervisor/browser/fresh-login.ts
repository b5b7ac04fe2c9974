import { messageOf } from '../../contract/errors.js';
import type { LoginStorage } from '../../contract/thread-messages.js';
import type { Logger } from '../../platform/logger.js';
import type { Profile } from './profile.js';

/**
 * A login that Chromium has not written to the disk yet. A login needs IndexedDB, which Chromium writes at once, and
 * localStorage, which it writes some 5 s later. A browser killed in between asks for a new scan although the phone lists the
 * device. So a copy of localStorage is kept beside the profile from the login until the profile has it
 * (docs/decisions/0006).
 */
export class FreshLogin {
  readonly #profile: Profile;
  readonly #isHeld: () => boolean;
  readonly #log: Logger;
  #storage: LoginStorage | null = null;
  /** The changes of the file, one after another. */
  #changed: Promise<void> = Promise.resolve();

  /** `isHeld`: the session belongs to this run. */
  constructor(profile: Profile, isHeld: () => boolean, log: Logger) {
    this.#profile = profile;
    this.#isHeld = isHeld;
    this.#log = log;
  }

  /** The localStorage that a page must get before it loads. null: the profile has everything. */
  get storage(): LoginStorage | null {
    return this.#storage;
  }

  /** Resolves when every change so far is on the disk. */
  get written(): Promise<void> {
    return this.#changed;
  }

  /** Reads the copy that an earlier run left because its browser was killed. */
  async load(): Promise<void> {
    this.#storage = await this.#profile.readStorage();
  }

  /** Once it resolves, not even a kill of all processes loses the login. */
  keep(storage: LoginStorage): Promise<void> {
    this.#storage = storage;
    return this.#change(() => this.#profile.writeStorage(storage));
  }

  /**
   * Call it when the account is `ready`. Once the same browser has lived for `ms`, its login is on the disk, and the copy is
   * removed. A browser that exits earlier does not count: Chromium has been seen to exit with code 0 and lose a
   * localStorage of the last second.
   *
   * A process that was frozen may run its timers before it learns of an exit, and may have lost the session meanwhile.
   */
  settleAfter(ms: number, browserGone: Promise<unknown>): void {
    if (this.#storage === null) return;
    let isGone = false;
    const settle = () => {
      if (!isGone && this.#isHeld()) void this.settle();
    };
    const timer = setTimeout(() => setImmediate(settle), ms);
    void browserGone.then(() => {
      isGone = true;
      clearTimeout(timer);
    });
  }

  /** The login is on the disk, or void: removes the copy. */
  settle(): Promise<void> {
    if (this.#storage === null) return this.written;
    this.#storage = null;
    return this.#change(() => this.#profile.removeStorage());
  }

  #change(change: () => Promise<void>): Promise<void> {
    this.#changed = this.#changed
      .then(change)
      .catch((error) => this.#log.error({ reason: messageOf(error) }, 'a fresh login could not be kept'));
    return this.#changed;
  }
}
