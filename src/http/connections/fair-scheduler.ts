/** Longest time for which waiting tasks are started before the event loop accepts new requests again. */
const sliceMs = 5;

/**
 * Starts requests round-robin by address, so that an address with many requests delays only its own. The first request of an
 * address in a turn of the event loop starts at once. Only further ones wait.
 */
export class FairScheduler {
  readonly #waiting = new Map<string, (() => void)[]>();
  readonly #startedThisTurn = new Set<string>();
  #isScheduled = false;

  run(address: string, start: () => void): void {
    this.#schedule();
    const waiting = this.#waiting.get(address);
    if (waiting !== undefined) {
      waiting.push(start);
    } else if (this.#startedThisTurn.has(address)) {
      this.#waiting.set(address, [start]);
    } else {
      this.#startedThisTurn.add(address);
      start();
    }
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#beginTurn());
  }

  #beginTurn(): void {
    this.#isScheduled = false;
    this.#startedThisTurn.clear();
    const until = performance.now() + sliceMs;
    while (this.#waiting.size > 0 && performance.now() < until) this.#startOneEach();
    if (this.#waiting.size > 0) this.#schedule();
  }

  #startOneEach(): void {
    for (const [address, waiting] of this.#waiting) {
      const start = waiting.shift();
      if (waiting.length === 0) this.#waiting.delete(address);
      start?.();
    }
  }
}
