import type { Timing } from '../contract/timing.js';
import { SessionThread } from './thread.js';

/**
 * Session workers before they are needed: loading the modules takes a thread longer than anything else on the way back
 * to `ready`. At most one is in stock, for whichever session needs it first (docs/decisions/0009).
 */
export class WarmThread {
  readonly #entry: URL;
  readonly #timing: Timing;
  #next: SessionThread | null = null;
  #isClosed = false;

  constructor(entry: URL, timing: Timing) {
    this.#entry = entry;
    this.#timing = timing;
  }

  /** Begins to load one, unless there is one. */
  load(): void {
    if (this.#isClosed || this.#next?.isAlive) return;
    this.#next = new SessionThread(this.#entry, this.#timing);
  }

  /** The caller's from now on, loaded or still loading. */
  take(): SessionThread {
    const next = this.#next?.isAlive ? this.#next : new SessionThread(this.#entry, this.#timing);
    this.#next = null;
    return next;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#next?.terminate();
    this.#next = null;
  }
}
