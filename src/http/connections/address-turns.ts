/** So long requests are begun before the event loop looks for what else has come. */
const sliceMs = 5;

/**
 * Requests begin in turns, one of each address: whoever asks for much waits for their own, and nobody else does. The first
 * of an address since the event loop looked for new ones begins at once, so that where nobody asks for much nobody waits.
 */
export class AddressTurns {
  readonly #waiting = new Map<string, (() => void)[]>();
  readonly #begun = new Set<string>();
  #isScheduled = false;

  take(address: string, begin: () => void): void {
    this.#schedule();
    const waiting = this.#waiting.get(address);
    if (waiting !== undefined) {
      waiting.push(begin);
    } else if (this.#begun.has(address)) {
      this.#waiting.set(address, [begin]);
    } else {
      this.#begun.add(address);
      begin();
    }
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#run());
  }

  #run(): void {
    this.#isScheduled = false;
    this.#begun.clear();
    const until = performance.now() + sliceMs;
    while (this.#waiting.size > 0 && performance.now() < until) this.#round();
    if (this.#waiting.size > 0) this.#schedule();
  }

  #round(): void {
    for (const [address, waiting] of this.#waiting) {
      const begin = waiting.shift();
      if (waiting.length === 0) this.#waiting.delete(address);
      begin?.();
    }
  }
}
