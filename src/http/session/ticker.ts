/**
 * Wakes all who wait together, in one turn of the event loop, so that what they read then is one read. Nothing
 * ticks while nobody waits.
 */
export function createTicker(intervalMs: number): (signal?: AbortSignal) => Promise<void> {
  const waiting = new Set<() => void>();
  let timer: NodeJS.Timeout | null = null;

  function tick(): void {
    timer = null;
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
