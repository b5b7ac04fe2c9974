import type { Logger } from './logger.js';

/**
 * Measures how long the event loop of this process stalls: blocked by its own work, frozen, or without a processor. A
 * deadline that passes during a stall says nothing about the other side.
 */
export class LoopDelay {
  readonly #timer: NodeJS.Timeout;
  #tickedAt = performance.now();
  /** Since construction or {@link reset}. */
  #longestMs = 0;

  /** Calls `onDelay` after each stall of at least `reportFromMs`. */
  constructor(onDelay: (ms: number) => void = () => undefined, reportFromMs = Number.POSITIVE_INFINITY) {
    this.#timer = setInterval(() => {
      const delayMs = this.#currentMs();
      this.#longestMs = Math.max(this.#longestMs, delayMs);
      this.#tickedAt = performance.now();
      if (delayMs >= reportFromMs) onDelay(delayMs);
    }, tickMs);
    this.#timer.unref();
  }

  /** A stall that may explain a missed deadline of `limitMs`; null: none was at least half as long. */
  explainTimeout(limitMs: number): string | null {
    const ms = Math.max(this.#longestMs, this.#currentMs());
    if (ms < limitMs / 2) return null;
    return `the event loop was blocked, or the process was frozen, for ${(ms / 1_000).toFixed(1)} s`;
  }

  reset(): void {
    this.#longestMs = 0;
    this.#tickedAt = performance.now();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #currentMs(): number {
    return Math.max(0, performance.now() - this.#tickedAt - tickMs);
  }
}

const tickMs = 100;
const warnFromMs = 1_000;

/** Logs each stall of a second or more: it may be why a deadline was missed. */
export function watchLoopDelay(log: Logger): LoopDelay {
  return new LoopDelay(
    (ms) =>
      log.warn(
        { stoodStillMs: Math.round(ms) },
        'the event loop was blocked, or the process was frozen; deadlines may have passed',
      ),
    warnFromMs,
  );
}
