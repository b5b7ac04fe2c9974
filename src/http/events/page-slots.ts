import type { ServerResponse } from 'node:http';
import type { OnBound } from '../../contract/bounds.js';
import type { FeedTuning } from './feed-tuning.js';
import { Semaphore } from './semaphore.js';

/**
 * Takes a slot for a page of missed events. Resolves to the function that releases it, or to null: the client has left, or it
 * waited too long and is disconnected. It resumes by itself.
 */
export type AcquirePageSlot = (response: ServerResponse, signal: AbortSignal) => Promise<(() => void) | null>;

export function createPageSlots(
  { maxPagesAtOnce, pageWaitMs }: FeedTuning,
  onBound: OnBound,
): AcquirePageSlot {
  const slots = new Semaphore(maxPagesAtOnce);
  return async (response, signal) => {
    if (slots.isFull) onBound('catchUps');
    const release = await slots.acquire(pageWaitMs, signal);
    if (release === null && !signal.aborted) {
      onBound('catchUpWait');
      response.destroy();
    }
    return release;
  };
}
