import type { Logger } from './logger.js';

/**
 * How long this process' event loop has stood still at a time: blocked by work of its own, frozen, or without a
 * processor. A deadline that passes meanwhile says nothing of whoever was waited for.
 */
export class LoopDelay {
  readonly #timer: NodeJS.Timeout;
  #turnedAt = performance.now();
  /** Since the construction or {@link forget}. */
  #longestMs = 0;

  /** `onDelay` is told of each that is over, of `reportFromMs` or more. */
  constructor(onDelay: (ms: number) => void = () => undefined, reportFromMs = Number.POSITIVE_INFINITY) {
    this.#timer = setInterval(() => {
      const delayMs = this.#currentMs();
      this.#longestMs = Math.max(this.#longestMs, delayMs);
      this.#turnedAt = performance.now();
      if (delayMs >= reportFromMs) onDelay(delayMs);
    }, tickMs);
    this.#timer.unref();
  }

  /** Why a deadline of `limitMs` may have passed; null: it did not stand still for half of it. */
  blame(limitMs: number): string | null {
    const ms = Math.max(this.#longestMs, this.#currentMs());
    return ms < limitMs / 2 ? null : `this process stood still for ${(ms / 1_000).toFixed(1)} s`;
  }

  forget(): void {
    this.#longestMs = 0;
    this.#turnedAt = performance.now();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #currentMs(): number {
    return Math.max(0, performance.now() - this.#turnedAt - tickMs);
  }
}

const tickMs = 100;
const worthALineMs = 1_000;

/** Says in the log when the process has stood still: what else passed its deadline then may not be to blame. */
export function watchLoopDelay(log: Logger): LoopDelay {
  return new LoopDelay(
    (ms) => log.warn({ stoodStillMs: Math.round(ms) }, 'this process stood still; deadlines may have passed'),
    worthALineMs,
  );
}
