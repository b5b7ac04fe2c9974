import { pause } from '../../platform/deadline.js';
import { lossAt, type Position, type StreamView } from '../../platform/store/event-stream.js';
import { feedEventOf } from './frames.js';
import type { SseClient } from './sse-client.js';

/** Where a stream begins: what was read of it before the answer began. */
export interface Beginning {
  /** The follower's position before `view` was read. */
  readonly followed: Position | null;
  /** The bounds of what is kept; no events yet. */
  readonly view: StreamView;
  readonly wasOwnerGone: boolean;
}

interface CatchUpParts {
  readonly listener: SseClient;
  readonly beginning: Beginning;
  /** The client was here before: what it missed comes first. */
  readonly isResuming: boolean;
  /** The next page after a position; fails while Redis is away. */
  readonly read: (after: Position) => Promise<StreamView>;
  /** For a page, from its read to the moment when the client has it: so much of what was is in memory at once. null: none came. */
  readonly takeTurn: () => Promise<(() => void) | null>;
  readonly followed: () => Position | null;
  /** Called when the listener has all that the follower has handed on; it must be joined before it returns. */
  readonly join: (from: Position) => void;
  /** How long the client may take to read a page. */
  readonly readDeadlineMs: number;
  readonly signal: AbortSignal;
}

const retryMs = 250;

/**
 * Writes page after page, until there is nothing left that the follower has handed on already. That is known
 * when a read finds nothing and the follower has not moved since before it: everything up to its position was
 * in the stream by then. Settles once joined, when no turn came, or when `signal` aborts.
 */
export async function catchUp(parts: CatchUpParts): Promise<void> {
  const { listener, beginning, isResuming, read, takeTurn, followed, join, readDeadlineMs, signal } = parts;
  let followedBefore = beginning.followed;
  let endTurn: () => void = () => undefined;

  /** null: no turn came, or `signal` aborted. */
  async function nextPage(): Promise<StreamView | null> {
    endTurn();
    const turn = await takeTurn();
    if (turn === null) return null;
    endTurn = turn;
    followedBefore = followed();
    return await insist(() => read(listener.position), signal);
  }

  try {
    let view = isResuming ? await nextPage() : beginning.view;
    while (view !== null && !signal.aborted) {
      const loss = lossAt(listener.position, view);
      if (loss !== null) listener.onLoss({ kind: loss, oldestId: view.oldestId });
      listener.tell(view.entries.map(feedEventOf));
      if (loss === null && view.entries.length === 0 && followed() === followedBefore) {
        return join(view.lastId ?? '-');
      }
      await listener.drained(readDeadlineMs, signal);
      view = await nextPage();
    }
  } finally {
    endTurn();
  }
}

/** Redis may go away in the middle: the stream stays open, and goes on where it was. null: `signal` aborted. */
async function insist(read: () => Promise<StreamView>, signal: AbortSignal): Promise<StreamView | null> {
  while (!signal.aborted) {
    try {
      return await read();
    } catch {
      await pause(retryMs, signal);
    }
  }
  return null;
}
