import type { Logger } from './logger.js';

/**
 * Measures how long the event loop of this process stalls: blocked by its own work, frozen, or without a processor. A
 * deadline that passes during a stall says nothing about the other side. The owner of the timer calls {@link tick}.
 */
export class LoopDelay {
  readonly #intervalMs: number;
  #tickedAt = performance.now();
  /** Since construction or {@link reset}. */
  #longestMs = 0;

  constructor(intervalMs = tickMs) {
    this.#intervalMs = intervalMs;
  }

  /** Call it every `intervalMs`. Returns for how long the loop has stalled since the last call, in ms. */
  readonly tick = (): number => {
    const delayMs = this.#currentMs();
    this.#longestMs = Math.max(this.#longestMs, delayMs);
    this.#tickedAt = performance.now();
    return delayMs;
  };

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

  #currentMs(): number {
    return Math.max(0, performance.now() - this.#tickedAt - this.#intervalMs);
  }
}

export const tickMs = 100;
const warnFromMs = 1_000;

/** Logs each stall of a second or more: it may be why a deadline was missed. */
export function watchLoopDelay(log: Logger): void {
  const loop = new LoopDelay();
  const look = () => {
    const ms = loop.tick();
    if (ms < warnFromMs) return;
    const facts = { stoodStillMs: Math.round(ms) };
    log.warn(facts, 'the event loop was blocked, or the process was frozen; deadlines may have passed');
  };
  setInterval(look, tickMs).unref();
}
