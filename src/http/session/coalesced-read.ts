/**
 * Lets callers of the same turn of the event loop share one read, which is issued after they all arrived. A
 * read on its way is never joined: its answer may be older than the question.
 */
export function coalesced<T>(read: () => Promise<T>): () => Promise<T> {
  let next: Promise<T> | null = null;
  return () => {
    next ??= new Promise<T>((resolve, reject) => {
      setImmediate(() => {
        next = null;
        read().then(resolve, reject);
      });
    });
    return next;
  };
}

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
