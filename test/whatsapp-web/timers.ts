/** Timers that can be cancelled together. */
export class Timers {
  readonly #running = new Set<NodeJS.Timeout>();

  later(delayMs: number, step: () => void): void {
    const timer = setTimeout(() => {
      this.#running.delete(timer);
      step();
    }, delayMs);
    this.#running.add(timer);
  }

  cancel(): void {
    for (const timer of this.#running) clearTimeout(timer);
    this.#running.clear();
  }
}
