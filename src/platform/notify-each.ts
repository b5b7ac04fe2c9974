/** Calls `notify` for each listener. An error that one throws goes to `onThrow`; the others are still notified. */
export function notifyEach<T>(
  listeners: Iterable<T>,
  notify: (listener: T) => void,
  onThrow: (error: unknown, listener: T) => void,
): void {
  for (const listener of listeners) {
    try {
      notify(listener);
    } catch (error) {
      onThrow(error, listener);
    }
  }
}
