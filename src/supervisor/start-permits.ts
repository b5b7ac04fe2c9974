import { deferred, unlessAborted } from '../platform/deadline.js';

/** Limits the starts that a supervisor has under way: each takes much of a processor, and together they would miss their deadlines. */
export class StartPermits {
  readonly #max: number;
  readonly #onChange: () => void;
  readonly #holders = new Set<string>();
  #released = deferred<void>();

  /** `onChange`: another number is free. */
  constructor(max: number, onChange: () => void) {
    this.#max = max;
    this.#onChange = onChange;
  }

  get free(): number {
    return Math.max(0, this.#max - this.#holders.size);
  }

  take(holder: string): void {
    this.#holders.add(holder);
    this.#onChange();
  }

  /** Does nothing if the holder has none. */
  release(holder: string): void {
    if (!this.#holders.delete(holder)) return;
    this.#released.resolve();
    this.#released = deferred();
    this.#onChange();
  }

  /** Resolves when a permit is free, or as soon as `signal` aborts. */
  async untilAnyFree(signal: AbortSignal): Promise<void> {
    while (this.free === 0 && !signal.aborted) {
      await unlessAborted(this.#released.promise, signal).catch(() => undefined);
    }
  }
}
