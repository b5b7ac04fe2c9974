import type { Logger } from './logger.js';

/** `force` aborts when whoever stops the product is out of patience. */
export interface Stoppable {
  readonly stop: (force: AbortSignal) => Promise<void>;
}

interface RunOptions {
  readonly log: Logger;
  /** The process exits after this however far the stop has come. */
  readonly deadlineMs: number;
  /**
   * Starts the parts, pushing each as soon as it has to be stopped. It may wait for as long as it likes, unless
   * `stopping` aborts, and may still find later that it cannot go on.
   */
  readonly start: (parts: Stoppable[], stopping: AbortSignal) => Promise<void>;
}

/** A terminal signals the whole group and npm passes the signal on: two within this time are one. */
const sameSignalMs = 2_000;

/**
 * Runs until SIGINT or SIGTERM, then stops the parts in reverse order and exits with 0. A second signal skips the
 * grace periods; a start that fails stops what had started, and throws.
 */
export async function runUntilSignalled({ log, deadlineMs, start }: RunOptions): Promise<void> {
  const parts: Stoppable[] = [];
  const force = new AbortController();
  let signalledAt: number | null = null;
  const signalled = new Promise<void>((resolve) => {
    const onSignal = (signal: NodeJS.Signals) => {
      const now = performance.now();
      if (signalledAt === null) {
        signalledAt = now;
        log.info({ signal }, 'stopping');
        resolve();
      } else if (now - signalledAt > sameSignalMs) {
        log.warn({ signal }, 'stopping at once');
        force.abort();
      }
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
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

/**
 * Whatever nobody handles, an exception or a rejection, ends this process with one line in the log and exit code 1: half of a
 * process would keep its place from a whole one. Its service manager, or the process that started it, starts another.
 */
export function endWhenUnhandled(log: Logger): void {
  process.on('uncaughtException', (error: unknown, origin) => {
    log.fatal({ err: error, origin }, 'something unexpected was not handled; the process ends');
    process.exit(1);
  });
}
