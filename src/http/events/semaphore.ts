/** Limits the number of holders at once. The others wait in the order of their arrival. */
export class Semaphore {
  readonly #limit: number;
  readonly #waiting = new Set<() => void>();
  #held = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get isFull(): boolean {
    return this.#held >= this.#limit;
  }

  /** Resolves to the function that releases the slot, or to null after `waitMs` or when `signal` aborts. */
  acquire(waitMs: number, signal: AbortSignal): Promise<(() => void) | null> {
    if (signal.aborted) return Promise.resolve(null);
    if (!this.isFull) return Promise.resolve(this.#hold());
    return new Promise((resolve) => {
      const settle = (release: (() => void) | null) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', giveUp);
        this.#waiting.delete(enter);
        resolve(release);
      };
      const enter = () => settle(this.#hold());
      const giveUp = () => settle(null);
      const timer = setTimeout(giveUp, waitMs);
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiting.add(enter);
    });
  }

  /** Returns the function that releases the slot. Calling it again does nothing. */
  #hold(): () => void {
    this.#held++;
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      this.#held--;
      const [next] = this.#waiting;
      next?.();
    };
  }
}
