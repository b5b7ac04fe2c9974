import { messageOf } from '../contract/errors.js';
import { pause, unlessAborted } from './deadline.js';
import type { Logger } from './logger.js';

/** Between two tries at what Redis refused. */
export const retryMs = 1_000;

interface Insistence {
  /** Ends it: the run, or the process, is over. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** The sentence for the log; of many refusals in a row it is said once. */
  readonly sentence: string;
}

/**
 * Tries until it works, once a second: Redis may refuse (a failover, no memory, still loading) and recover. What it did not
 * answer may be done twice. Rejects only when `signal` aborts, without waiting for what is under way.
 */
export async function insist<T>(
  attempt: () => Promise<T>,
  { signal, log, sentence }: Insistence,
): Promise<T> {
  for (let isFirst = true; ; isFirst = false) {
    if (signal.aborted) throw new Error(String(signal.reason));
    try {
      return await unlessAborted(attempt(), signal);
    } catch (error) {
      if (signal.aborted) throw error;
      log[isFirst ? 'warn' : 'debug']({ error: messageOf(error) }, sentence);
      await pause(retryMs, signal);
    }
  }
}
