import { pause } from '../../platform/deadline.js';
import type { Positions } from '../../platform/store/event-positions.js';
import type { EventPage } from '../../platform/store/event-stream.js';
import { framedEntry } from './frames.js';
import type { SseClient } from './sse-client.js';

interface CatchUpStart {
  /** The stream reader's cursor before `page` was read. */
  readonly readerCursor: string | null;
  readonly page: EventPage;
}

interface CatchUpParts {
  readonly client: SseClient;
  /** What was read before the stream was opened, without events; null: the client resumes, and first gets what it missed. */
  readonly start: CatchUpStart | null;
  /** Reads the next page after a position. Rejects while Redis is unreachable. */
  readonly readPage: (after: Positions) => Promise<EventPage>;
  /**
   * Takes a slot for one page. It is held from the read of the page until the client has received it: this bounds the memory for
   * pages. Resolves to the function that releases the slot, or to null if no slot became free.
   */
  readonly acquireSlot: () => Promise<(() => void) | null>;
  readonly readerCursor: () => string | null;
  /** Called once the client has all that the stream reader has delivered. Must subscribe it synchronously. */
  readonly goLive: (last: EventPage) => void;
  /** How long the client may take to read a page. */
  readonly readDeadlineMs: number;
  readonly signal: AbortSignal;
}

const pageRetryMs = 250;

/**
 * Writes page after page until the client has everything that the stream reader has delivered, then lets it go live.
 * It has everything when a read finds no more events and the stream reader has not moved since before that read.
 * Resolves when the client is live, when no slot became free, or when `signal` aborts.
 */
export async function catchUp(parts: CatchUpParts): Promise<void> {
  const { client, start, acquireSlot, readerCursor, goLive, readDeadlineMs, signal } = parts;
  let cursorBefore = start?.readerCursor ?? null;
  let releaseSlot: () => void = () => undefined;

  /** null: no slot became free, or `signal` aborted. */
  async function nextPage(): Promise<EventPage | null> {
    releaseSlot();
    const release = await acquireSlot();
    if (release === null) return null;
    releaseSlot = release;
    cursorBefore = readerCursor();
    return await retried(() => parts.readPage(client.positions), signal);
  }

  try {
    let page = start === null ? await nextPage() : start.page;
    while (page !== null && !signal.aborted) {
      const { losses, entries, next, isLast } = page;
      for (const loss of losses) client.onLoss(loss);
      client.write(entries.map(framedEntry));
      if (next !== null && losses.length === 0) client.skipTo(next);
      const hasAll = losses.length === 0 && entries.length === 0 && isLast;
      if (hasAll && readerCursor() === cursorBefore) return goLive(page);
      await client.drained(readDeadlineMs, signal);
      page = await nextPage();
    }
  } finally {
    releaseSlot();
  }
}

/** Retries while Redis is unreachable; the client's stream stays open. Resolves to null when `signal` aborts. */
async function retried(read: () => Promise<EventPage>, signal: AbortSignal): Promise<EventPage | null> {
  while (!signal.aborted) {
    try {
      return await read();
    } catch {
      await pause(pageRetryMs, signal);
    }
  }
  return null;
}
