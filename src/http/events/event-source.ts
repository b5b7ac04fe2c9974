import { defaultSession } from '../../contract/names.js';
import type { Redis } from '../../platform/redis/connection.js';
import { awaitIndex, readIndex } from '../../platform/store/event-index.js';
import { bothAt, type Loss, type Positions } from '../../platform/store/event-positions.js';
import { awaitEvents, type EventPage, readEvents } from '../../platform/store/event-stream.js';
import type { Followed } from './followed.js';

export interface NextEvents {
  readonly entries: EventPage['entries'];
  /** The cursor after them. */
  readonly cursor: string;
  /** A client has come since, and events of its sessions may be missing. */
  isStale(): boolean;
}

/**
 * What a stream reader reads. A cursor is a position as text, which only the source understands; `-`: before everything. Two
 * cursors are equal if nothing was read in between.
 */
export interface EventSource {
  cursorAt(positions: Positions): string;
  /** Waits at most `blockMs` for the next events. Blocks the connection, which must be used for nothing else. */
  next(redis: Redis, after: string, blockMs: number): Promise<NextEvents>;
  /** What Redis has lost after the cursor; null: nothing. */
  findLoss(redis: Redis, after: string): Promise<Loss | null>;
}

/** The stream of `default`. One round trip for each read. */
export const defaultStream: EventSource = {
  cursorAt: ({ ofDefault }) => ofDefault,
  async next(redis, after, blockMs) {
    const entries = await awaitEvents(redis, defaultSession, after, blockMs);
    return { entries, cursor: entries.at(-1)?.id ?? after, isStale: () => false };
  },
  async findLoss(redis, after) {
    const { losses } = await readEvents(redis, [defaultSession], bothAt(after), 1);
    return losses[0] ?? null;
  },
};

/** The events of all sessions that are followed, by the index. Two round trips for each read, whatever the number of sessions. */
export function indexedEvents(followed: () => Followed, maxEvents: number): EventSource {
  const cursorAt = ({ ofDefault, ofOthers }: Positions) => `${ofDefault} ${ofOthers}`;
  return {
    cursorAt,
    async next(redis, after, blockMs) {
      const positions = positionsAt(after);
      await awaitIndex(redis, positions, blockMs);
      const asked = followed();
      const { entries, next } = await readIndex(redis, asked.names, positions, maxEvents);
      return { entries, cursor: cursorAt(next), isStale: () => followed() !== asked };
    },
    async findLoss(redis, after) {
      const { losses } = await readIndex(redis, null, positionsAt(after), 1);
      return losses[0] ?? null;
    },
  };
}

function positionsAt(cursor: string): Positions {
  const [ofDefault = '-', ofOthers = '-'] = cursor.split(' ');
  return { ofDefault, ofOthers };
}
