import { deferred, unlessAborted } from '../platform/deadline.js';

/** Limits the starts that a supervisor has under way: each takes much of a processor, and together they would miss their deadlines. */
export class StartPermits {
  readonly #max: number;
  readonly #holders = new Set<string>();
  #released = deferred<void>();

  constructor(max: number) {
    this.#max = max;
  }

  take(holder: string): void {
    this.#holders.add(holder);
  }

  /** Does nothing if the holder has none. */
  release(holder: string): void {
    if (!this.#holders.delete(holder)) return;
    this.#released.resolve();
    this.#released = deferred();
  }

  /** Resolves when a permit is free, or as soon as `signal` aborts. */
  async untilAnyFree(signal: AbortSignal): Promise<void> {
    while (this.#holders.size >= this.#max && !signal.aborted) {
      await unlessAborted(this.#released.promise, signal).catch(() => undefined);
    }
  }
}
