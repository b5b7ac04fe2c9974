/** So many at once; the others wait in the order in which they came. */
export class Turns {
  readonly #atOnce: number;
  readonly #waiting = new Set<() => void>();
  #taken = 0;

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** All are taken. */
  get isFull(): boolean {
    return this.#taken >= this.#atOnce;
  }

  /** Resolves to the way to end the turn; null: none came within `waitMs`, or before `signal` aborted. */
  take(waitMs: number, signal: AbortSignal): Promise<(() => void) | null> {
    if (signal.aborted) return Promise.resolve(null);
    if (!this.isFull) return Promise.resolve(this.#begin());
    return new Promise((resolve) => {
      const settle = (turn: (() => void) | null) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', giveUp);
        this.#waiting.delete(come);
        resolve(turn);
      };
      const come = () => settle(this.#begin());
      const giveUp = () => settle(null);
      const timer = setTimeout(giveUp, waitMs);
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiting.add(come);
    });
  }

  #begin(): () => void {
    this.#taken++;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#taken--;
      const [next] = this.#waiting;
      next?.();
    };
  }
}
