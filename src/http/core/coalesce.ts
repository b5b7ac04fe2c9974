/**
 * Lets callers of the same turn of the event loop share one read, which is issued after they all arrived. A
 * read on its way is never joined: its answer may be older than the question.
 */
export function coalesced<T>(read: () => Promise<T>): () => Promise<T> {
  return shared(read, (begin) => setImmediate(begin));
}

/** Longest wait for the read before; a Redis that takes longer than that is not busy, but in trouble. */
const longestWaitMs = 5;

/**
 * The same, for what is asked most: who comes while a read is on its way waits for it, and shares the next one with all
 * who do (docs/decisions/0014).
 */
export function oneAtATime<T>(read: () => Promise<T>): () => Promise<T> {
  let underWay: Promise<unknown> | null = null;

  function issue(): Promise<T> {
    const issued = read();
    const ended = issued.then(noop, noop).then(() => {
      if (underWay === ended) underWay = null;
    });
    underWay = ended;
    return issued;
  }

  return shared(issue, (begin) => {
    if (underWay === null) setImmediate(begin);
    else afterwards(underWay, begin);
  });
}

/** `when` calls back once, later; who asks before that shares the read. */
function shared<T>(read: () => Promise<T>, when: (begin: () => void) => void): () => Promise<T> {
  let next: Promise<T> | null = null;
  return () => {
    next ??= new Promise<T>((resolve, reject) => {
      when(() => {
        next = null;
        read().then(resolve, reject);
      });
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
