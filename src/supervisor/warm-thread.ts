import type { Timing } from '../contract/timing.js';
import { SessionThread } from './thread.js';

/**
 * Keeps at most one thread with its modules loaded, for the session that needs it first. Loading takes longer than any other
 * step on the way to `ready` (docs/decisions/0009).
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

  /** Starts to load a thread, unless there is one. */
  load(): void {
    if (this.#isClosed || this.#next?.isAlive) return;
    this.#next = new SessionThread(this.#entry, this.#timing);
  }

  /** Gives the caller a thread, loaded or still loading, which the caller must stop. */
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
