import { pause } from '../../platform/deadline.js';
import { lossAt, type Position, type StreamView } from '../../platform/store/event-stream.js';
import { framedEntry } from './frames.js';
import type { SseClient } from './sse-client.js';

/** What is read before a client's stream is opened. */
export interface StreamStart {
  /** The stream reader's position before `view` was read. */
  readonly readerPosition: Position | null;
  /** The bounds of the stream, without events. */
  readonly view: StreamView;
  readonly wasOwnerGone: boolean;
}

interface CatchUpParts {
  readonly client: SseClient;
  readonly start: StreamStart;
  /** The client was connected before. It first gets the events that it missed. */
  readonly isResuming: boolean;
  /** Reads the next page after a position. Rejects while Redis is unreachable. */
  readonly readPage: (after: Position) => Promise<StreamView>;
  /**
   * Takes a slot for one page. It is held from the read of the page until the client has received it: this bounds the memory for
   * pages. Resolves to the function that releases the slot, or to null if no slot became free.
   */
  readonly acquireSlot: () => Promise<(() => void) | null>;
  readonly readerPosition: () => Position | null;
  /** Called once the client has all that the stream reader has delivered. Must subscribe it synchronously. */
  readonly goLive: (from: Position) => void;
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
  const { client, start, isResuming, acquireSlot, readerPosition, goLive, readDeadlineMs, signal } = parts;
  let positionBefore = start.readerPosition;
  let releaseSlot: () => void = () => undefined;

  /** null: no slot became free, or `signal` aborted. */
  async function nextPage(): Promise<StreamView | null> {
    releaseSlot();
    const release = await acquireSlot();
    if (release === null) return null;
    releaseSlot = release;
    positionBefore = readerPosition();
    return await retried(() => parts.readPage(client.position), signal);
  }

  try {
    let view = isResuming ? await nextPage() : start.view;
    while (view !== null && !signal.aborted) {
      const loss = lossAt(client.position, view);
      if (loss !== null) client.onLoss({ kind: loss, oldestId: view.oldestId });
      client.write(view.entries.map(framedEntry));
      if (loss === null && view.entries.length === 0 && readerPosition() === positionBefore) {
        return goLive(view.lastId ?? '-');
      }
      await client.drained(readDeadlineMs, signal);
      view = await nextPage();
    }
  } finally {
    releaseSlot();
  }
}

/** Retries while Redis is unreachable; the client's stream stays open. Resolves to null when `signal` aborts. */
async function retried(read: () => Promise<StreamView>, signal: AbortSignal): Promise<StreamView | null> {
  while (!signal.aborted) {
    try {
      return await read();
    } catch {
      await pause(pageRetryMs, signal);
    }
  }
  return null;
}
