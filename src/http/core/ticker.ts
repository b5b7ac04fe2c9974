export interface TickerIntervals {
  /** For up to {@link few} who wait. */
  readonly fewMs: number;
  /** For more: waking them is most of the work then. */
  readonly manyMs: number;
  readonly few: number;
}

/**
 * Wakes all who wait together, in one turn of the event loop, so that what they read then is one read. Nothing
 * ticks while nobody waits.
 */
export function createTicker(intervals: TickerIntervals): (signal?: AbortSignal) => Promise<void> {
  const { fewMs, manyMs, few } = intervals;
  const waiting = new Set<() => void>();
  let timer: NodeJS.Timeout | null = null;
  let intervalMs = fewMs;

  function tick(): void {
    timer = null;
    intervalMs = waiting.size > few ? manyMs : fewMs;
    for (const wake of [...waiting]) wake();
  }

  /** Resolves at the next tick, or at once when `signal` aborts; never rejects. */
  return (signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      function wake(): void {
        waiting.delete(wake);
        signal?.removeEventListener('abort', wake);
        if (waiting.size === 0 && timer !== null) {
          clearTimeout(timer);
          timer = null;
        }
        resolve();
      }
      waiting.add(wake);
      signal?.addEventListener('abort', wake, { once: true });
      timer ??= setTimeout(tick, intervalMs);
    });
}
