/** Longest wait for the read before; a Redis that takes longer than that is not busy, but in trouble. */
const longestWaitMs = 5;

/**
 * Lets callers share reads. A read on its way is never joined: its answer may be older than the question. Who comes
 * meanwhile waits for it and shares the next one, which is issued after they all arrived; who comes while none is on its
 * way shares one with the callers of the same turn of the event loop.
 */
export function coalesced<T>(read: () => Promise<T>): () => Promise<T> {
  let next: Promise<T> | null = null;
  let underWay: Promise<unknown> | null = null;

  function issue(): Promise<T> {
    next = null;
    const issued = read();
    const ended = issued.then(noop, noop).then(() => {
      if (underWay === ended) underWay = null;
    });
    underWay = ended;
    return issued;
  }

  return () => {
    next ??= new Promise<T>((resolve, reject) => {
      const begin = () => void issue().then(resolve, reject);
      if (underWay === null) setImmediate(begin);
      else afterwards(underWay, begin);
    });
    return next;
  };
}

function afterwards(before: Promise<unknown>, begin: () => void): void {
  const timer = setTimeout(start, longestWaitMs);
  let hasBegun = false;
  function start(): void {
    if (hasBegun) return;
    hasBegun = true;
    clearTimeout(timer);
    begin();
  }
  void before.then(() => setImmediate(start));
}

function noop(): void {}

/** The same for reads of one thing among many: the things asked for in one turn are read together, in order. */
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
