import { defaultSession } from '../../contract/names.js';
import type { Redis } from '../../platform/redis/connection.js';
import { awaitIndex, readIndex } from '../../platform/store/event-index.js';
import type { Loss, Position } from '../../platform/store/event-positions.js';
import { awaitEvents, type EventPage, readEvents } from '../../platform/store/event-stream.js';
import type { Followed } from './followed.js';

export interface NextEvents {
  readonly entries: EventPage['entries'];
  /** The position after them. */
  readonly position: Position;
  /** A client has come since, and events of its sessions may be missing. */
  isStale(): boolean;
}

/** What a stream reader reads. */
export interface EventSource {
  /** Waits at most `blockMs` for the next events. Blocks the connection, which must be used for nothing else. */
  next(redis: Redis, after: Position, blockMs: number): Promise<NextEvents>;
  /** What Redis has lost after the position; null: nothing. */
  findLoss(redis: Redis, after: Position): Promise<Loss | null>;
}

/** The stream of `default`. One round trip for each read. */
export const defaultStream: EventSource = {
  async next(redis, after, blockMs) {
    const entries = await awaitEvents(redis, defaultSession, after, blockMs);
    return { entries, position: entries.at(-1)?.id ?? after, isStale: () => false };
  },
  async findLoss(redis, after) {
    const { losses } = await readEvents(redis, [defaultSession], after, 1);
    return losses[0] ?? null;
  },
};

/** The events of all sessions that are followed, by the index. Two round trips for each read, whatever the number of sessions. */
export function indexedEvents(followed: () => Followed, maxEvents: number): EventSource {
  return {
    async next(redis, after, blockMs) {
      await awaitIndex(redis, after, blockMs);
      const asked = followed();
      const { entries, next } = await readIndex(redis, asked.names, after, maxEvents);
      return { entries, position: next, isStale: () => followed() !== asked };
    },
    async findLoss(redis, after) {
      const { losses } = await readIndex(redis, null, after, 1);
      return losses[0] ?? null;
    },
  };
}
