/** The longest delay that `setTimeout` takes. */
const timerMaxMs = 2_147_483_647;

/** Callbacks that wait for something to change. */
export class Waiters {
  readonly #wakes = new Set<() => void>();

  wake(): void {
    for (const wake of [...this.#wakes]) wake();
  }

  add(wake: () => void): void {
    this.#wakes.add(wake);
  }

  delete(wake: () => void): void {
    this.#wakes.delete(wake);
  }
}

/** Resolves when one of `sources` wakes, after `ms`, or when `signal` aborts. Never rejects; removes its timer and listeners. */
export function untilWoken(ms: number, signal: AbortSignal, ...sources: readonly Waiters[]): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      for (const source of sources) source.delete(done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, Math.min(Math.max(1, Math.ceil(ms)), timerMaxMs));
    for (const source of sources) source.add(done);
    signal.addEventListener('abort', done, { once: true });
  });
}
