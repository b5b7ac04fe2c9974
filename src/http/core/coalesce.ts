/** Ways in which many requests share one read, one wake-up or one result. */

/**
 * Callers in the same turn of the event loop share one read, which is issued after all of them have asked. No caller joins a read
 * that is in flight: its result may be older than the call.
 */
export function coalesced<T>(read: () => Promise<T>): () => Promise<T> {
  return shared(read, (begin) => setImmediate(begin));
}

/** Longest wait for the read in flight. A Redis that takes longer is failing, not busy. */
const inFlightWaitMaxMs = 5;

/**
 * Like {@link coalesced}, with one read in flight at a time. Callers who arrive during a read wait for its end, and then share the
 * next one (docs/decisions/0014). For the most frequent reads.
 */
export function oneAtATime<T>(read: () => Promise<T>): () => Promise<T> {
  let inFlight: Promise<unknown> | null = null;

  function issue(): Promise<T> {
    const issued = read();
    const ended = issued.then(noop, noop).then(() => {
      if (inFlight === ended) inFlight = null;
    });
    inFlight = ended;
    return issued;
  }

  return shared(issue, (begin) => {
    if (inFlight === null) setImmediate(begin);
    else afterwards(inFlight, begin);
  });
}

/** `schedule` calls `begin` once, later. Calls until then share the read. */
function shared<T>(read: () => Promise<T>, schedule: (begin: () => void) => void): () => Promise<T> {
  let next: Promise<T> | null = null;
  return () => {
    next ??= new Promise<T>((resolve, reject) => {
      schedule(() => {
        next = null;
        read().then(resolve, reject);
      });
    });
    return next;
  };
}

function afterwards(previous: Promise<unknown>, begin: () => void): void {
  const timer = setTimeout(start, inFlightWaitMaxMs);
  let hasBegun = false;
  function start(): void {
    if (hasBegun) return;
    hasBegun = true;
    clearTimeout(timer);
    begin();
  }
  void previous.then(() => setImmediate(start));
}

function noop(): void {}

/** Like {@link coalesced}, for reads by key: `read` gets all keys of one turn, and returns their values in the same order. */
export function batched<Key, T>(
  read: (keys: readonly Key[]) => Promise<readonly T[]>,
): (key: Key) => Promise<T> {
  let keys: Key[] = [];
  const readTogether = coalesced(() => {
    const asked = keys;
    keys = [];
    return read(asked);
  });
  return async (key) => {
    const index = keys.push(key) - 1;
    return (await readTogether())[index] as T;
  };
}

export interface TickerIntervals {
  /** While at most {@link few} wait. */
  readonly fewMs: number;
  /** While more wait. Waking them is then most of the work. */
  readonly manyMs: number;
  readonly few: number;
}

/** Wakes all waiters in one turn of the event loop, so that their next reads are coalesced. Without waiters no timer runs. */
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

  /** Resolves at the next tick, or at once when `signal` aborts. Never rejects. */
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

/** Calls `make` again only when its arguments change: most requests need the same result as the one before. */
export function memoizeLast<Args extends readonly unknown[], T>(
  make: (...args: Args) => T,
): (...args: Args) => T {
  let last: { readonly args: Args; readonly value: T } | null = null;
  return (...args) => {
    if (last === null || !last.args.every((arg, i) => arg === args[i])) last = { args, value: make(...args) };
    return last.value;
  };
}
