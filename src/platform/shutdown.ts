import type { Logger } from './logger.js';

/** `force` aborts when the stop must not wait any longer. */
export interface Stoppable {
  readonly stop: (force: AbortSignal) => Promise<void>;
}

interface RunUntilSignalledOptions {
  readonly log: Logger;
  /** The process exits after this time even if the stop has not finished. */
  readonly deadlineMs: number;
  /**
   * Starts the parts, and adds each to `parts` as soon as it needs a stop. May take any time until `stopping` aborts, and may
   * reject even after it has started some parts.
   */
  readonly start: (parts: Stoppable[], stopping: AbortSignal) => Promise<void>;
}

/** Two signals within this time count as one: a terminal signals the whole process group, and npm forwards the signal. */
const sameSignalMs = 2_000;

/**
 * Runs until SIGINT, SIGTERM or SIGHUP, then stops the parts in reverse order and exits with 0. A second signal skips the
 * grace periods. If the start fails, stops the started parts and throws.
 */
export async function runUntilSignalled({ log, deadlineMs, start }: RunUntilSignalledOptions): Promise<void> {
  const parts: Stoppable[] = [];
  const force = new AbortController();
  const signalled = new Promise<void>((resolve) => {
    const stop = (signal: NodeJS.Signals) => {
      log.info({ signal }, 'stopping');
      resolve();
    };
    const stopAtOnce = (signal: NodeJS.Signals) => {
      log.warn({ signal }, 'stopping at once');
      force.abort();
    };
    onSignals(stop, stopAtOnce);
  });

  const stopping = new AbortController();
  void signalled.then(() => stopping.abort());
  const started = start(parts, stopping.signal);
  try {
    await Promise.race([started, signalled]);
    await signalled;
    setTimeout(() => {
      log.error({ deadlineMs }, 'the stop took too long; exiting');
      process.exit(1);
    }, deadlineMs).unref();
    await started.catch(() => undefined);
  } finally {
    for (const part of parts.reverse()) {
      await part
        .stop(force.signal)
        .catch((error) => log.error({ err: error }, 'a part did not stop cleanly'));
    }
  }
  log.info('stopped');
  process.exit(0);
}

/** Aborts at SIGINT, SIGTERM or SIGHUP, so that a command can clean up. A later signal ends the process at once, with 130. */
export function abortAtSignal(): AbortSignal {
  const stopping = new AbortController();
  onSignals(
    () => stopping.abort(),
    () => process.exit(130),
  );
  return stopping.signal;
}

/** `onFirst`: at SIGINT, SIGTERM or SIGHUP. `onLater`: at every later one. */
function onSignals(
  onFirst: (signal: NodeJS.Signals) => void,
  onLater: (signal: NodeJS.Signals) => void,
): void {
  let signalledAt: number | null = null;
  const onSignal = (signal: NodeJS.Signals) => {
    const now = performance.now();
    if (signalledAt !== null) return now - signalledAt > sameSignalMs ? onLater(signal) : undefined;
    signalledAt = now;
    onFirst(signal);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
}

/**
 * An unhandled exception or rejection ends this process with one log line and exit code 1: a half-broken process must not
 * stay in place of a working one. The service manager, or the parent process, starts another.
 */
export function endWhenUnhandled(log: Logger): void {
  process.on('uncaughtException', (error: unknown, origin) => {
    log.fatal({ err: error, origin }, 'unhandled error; the process ends');
    process.exit(1);
  });
}
