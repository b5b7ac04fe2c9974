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
