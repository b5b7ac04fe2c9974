/** Calls `tell` for each listener. What one of them throws costs that one: it goes to `onThrow`, and the others are told. */
export function tellEach<T>(
  listeners: Iterable<T>,
  tell: (listener: T) => void,
  onThrow: (error: unknown, listener: T) => void,
): void {
  for (const listener of listeners) {
    try {
      tell(listener);
    } catch (error) {
      onThrow(error, listener);
    }
  }
}
