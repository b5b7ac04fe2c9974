import { notifyEach } from './notify-each.js';

/** `tick`: counts the calls of this interval, from 1. */
export type TickListener = (tick: number) => void;

interface SharedInterval {
  readonly timer: NodeJS.Timeout;
  readonly listeners: Map<object, TickListener>;
}

const intervals = new Map<number, SharedInterval>();

/**
 * Like `setInterval`, but all listeners with the same interval are called in the same turn of the event loop, so that what they
 * ask of Redis can be one command ({@link batchedScript}). The first call comes after `intervalMs` at most. Returns the function that ends the calls.
 */
export function onSharedInterval(intervalMs: number, listener: TickListener): () => void {
  const shared = intervals.get(intervalMs) ?? begin(intervalMs);
  const id = {};
  shared.listeners.set(id, listener);
  return () => {
    shared.listeners.delete(id);
    if (shared.listeners.size > 0 || intervals.get(intervalMs) !== shared) return;
    clearInterval(shared.timer);
    intervals.delete(intervalMs);
  };
}

function begin(intervalMs: number): SharedInterval {
  const listeners = new Map<object, TickListener>();
  let tick = 0;
  const timer = setInterval(() => {
    tick++;
    notifyEach(
      [...listeners.values()],
      (listener) => listener(tick),
      // As an error that a callback of setInterval throws: it must not pass unseen.
      (error) =>
        queueMicrotask(() => {
          throw error;
        }),
    );
  }, intervalMs);
  const shared = { timer, listeners };
  intervals.set(intervalMs, shared);
  return shared;
}
