import { messageOf } from '../../contract/errors.js';
import type { LoginStorage } from '../../contract/thread-messages.js';
import type { Logger } from '../../platform/logger.js';
import type { Profile } from './profile.js';

/**
 * A login between the scan and the disk. Chromium writes IndexedDB at once but localStorage some 5 s late, and a
 * login needs both; killed before that, the profile asks for a new scan although the phone lists the device. So what
 * the page had in localStorage is kept beside the profile from the moment of the login until the profile has it.
 */
export class FreshLogin {
  readonly #profile: Profile;
  readonly #log: Logger;
  #storage: LoginStorage | null = null;
  /** One change of the file after another, in the order in which they were asked for. */
  #changed: Promise<void> = Promise.resolve();

  constructor(profile: Profile, log: Logger) {
    this.#profile = profile;
    this.#log = log;
  }

  /** What a page must be given before it loads; null: the profile has it all. */
  get storage(): LoginStorage | null {
    return this.#storage;
  }

  /** Resolves when all that was asked for so far is on the disk. */
  get written(): Promise<void> {
    return this.#changed;
  }

  /** What an earlier run left, of a browser that was killed. */
  async load(): Promise<void> {
    this.#storage = await this.#profile.readStorage();
  }

  /** Resolves when a kill of everything loses nothing any more. */
  keep(storage: LoginStorage): Promise<void> {
    this.#storage = storage;
    return this.#change(() => this.#profile.writeStorage(storage));
  }

  /**
   * The account is `ready`: after `ms` of the same browser's life its login is on the disk. That a browser ended by
   * itself says nothing: with exit code 0 it has been seen to leave a localStorage of a second ago unwritten.
   */
  settleAfter(ms: number, browserGone: Promise<unknown>): void {
    if (this.#storage === null) return;
    const timer = setTimeout(() => void this.settle(), ms);
    void browserGone.then(() => clearTimeout(timer));
  }

  /** It is on the disk, or void. */
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
