import { messageOf } from '../contract/errors.js';
import { pause, unlessAborted } from './deadline.js';
import type { Logger } from './logger.js';

/** Time between two attempts after Redis refused something. */
export const redisRetryMs = 1_000;

/** Time between two attempts of a session worker to write its state or its events. */
export const writeRetryMs = 500;

interface RetryOptions {
  /** Ends the retries: the run, or the process, is over. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** The log message of a failed attempt: the first is a warning, the others are debug lines. */
  readonly sentence: string;
}

/**
 * Retries `attempt` once a second until it succeeds: Redis may refuse for a while (a failover, no memory, still loading).
 * An attempt without an answer may have been carried out, so `attempt` must be safe to repeat. Rejects only when `signal`
 * aborts, and then without waiting for the attempt in progress.
 */
export async function retryUntilSuccess<T>(
  attempt: () => Promise<T>,
  { signal, log, sentence }: RetryOptions,
): Promise<T> {
  for (let isFirst = true; ; isFirst = false) {
    if (signal.aborted) throw new Error(String(signal.reason));
    try {
      return await unlessAborted(attempt(), signal);
    } catch (error) {
      if (signal.aborted) throw error;
      log[isFirst ? 'warn' : 'debug']({ error: messageOf(error) }, sentence);
      await pause(redisRetryMs, signal);
    }
  }
}
