import { setMaxListeners } from 'node:events';
import { DeadlineError } from '../contract/errors.js';

/** Settles like `promise`, or rejects after `deadlineMs` with a {@link DeadlineError} that names `what`. */
export async function withDeadline<T>(promise: Promise<T>, deadlineMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DeadlineError(what, deadlineMs)), deadlineMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Aborts with the first of the signals. Any number of listeners may wait for it. */
export function firstAbort(...signals: AbortSignal[]): AbortSignal {
  const first = AbortSignal.any(signals);
  setMaxListeners(0, first);
  return first;
}

/** Resolves after `ms`, or as soon as `signal` aborts; never rejects. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
    function done(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    }
  });
}

/** Waits for `promise` for at most `ms`, or until `signal` aborts; rejects only if `promise` does. Leaves no timer. */
export async function atMost(promise: Promise<unknown>, ms: number, signal?: AbortSignal): Promise<void> {
  const done = new AbortController();
  const signals = signal === undefined ? [done.signal] : [signal, done.signal];
  try {
    await Promise.race([promise, pause(ms, AbortSignal.any(signals))]);
  } finally {
    done.abort();
  }
}

/**
 * A signal that aborts after `ms`, or as soon as `signal` does. `clear` makes it wait for neither. Not `AbortSignal.timeout` within
 * `AbortSignal.any`: Node 20 may collect that timer as garbage, and then the signal never aborts.
 */
export function abortAfter(
  ms: number,
  signal?: AbortSignal,
): { readonly signal: AbortSignal; readonly clear: () => void } {
  const late = new AbortController();
  const timer = setTimeout(abort, ms);
  if (signal?.aborted) abort();
  else signal?.addEventListener('abort', abort);
  return { signal: late.signal, clear };

  function abort(): void {
    clear();
    late.abort(signal?.aborted ? signal.reason : new DOMException('too late', 'TimeoutError'));
  }

  function clear(): void {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

/** Settles like `promise`, or rejects as soon as `signal` aborts. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const done = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    const onAbort = () => reject(new Error(String(signal.reason)));
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true, signal: done.signal });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    done.abort();
  }
}

/** A promise and the function that settles it. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}

export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
