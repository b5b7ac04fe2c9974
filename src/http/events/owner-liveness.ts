import { eventsOfChange } from '../../contract/events.js';
import { type Status, statusSchema } from '../../contract/status.js';
import { isAboutData } from '../../platform/odd-data.js';
import type { SessionReader } from '../session/session-reader.js';
import { type FeedEvent, passingEvent } from './frames.js';

/**
 * Notices that nobody stands behind the session any more. A dead owner writes no event, so each replica tells
 * its listeners what `/api/status` would: `disconnected`, in events without a place in the stream. The next
 * owner's first state is a real event; only an owner that comes back without writing is told by this again.
 */
export class OwnerLiveness {
  readonly #reader: SessionReader;
  readonly #tell: (events: readonly FeedEvent[]) => void;
  /** The newest status that listeners can know of. */
  #told: Status | null = null;
  #standing: readonly FeedEvent[] | null = null;
  #statesSeen = 0;

  constructor(reader: SessionReader, tell: (events: readonly FeedEvent[]) => void) {
    this.#reader = reader;
    this.#tell = tell;
  }

  /** While the owner is gone: what was told of it, for those who come later. Else null. */
  get standing(): readonly FeedEvent[] | null {
    return this.#standing;
  }

  /** A state that came through the stream, as the event's JSON. */
  note(json: string): void {
    this.#told = statusIn(json);
    this.#standing = null;
    this.#statesSeen++;
  }

  /** Throws `redis_unavailable`. */
  async look(): Promise<void> {
    const statesSeen = this.#statesSeen;
    const told = await this.#reader.status().catch(unlessUnreadable);
    if (told === null) return;
    const { status, heartbeat } = told;
    // A state that came while this was read is newer.
    if (statesSeen !== this.#statesSeen) return;
    const isGone = heartbeat === null && status.state !== 'stopped';
    const before = this.#told;
    this.#told = status;
    if (isGone === (this.#standing !== null)) return;
    const events = passingEvents(before, status);
    this.#standing = isGone ? events : null;
    // Somebody who is back and has written is told of by the event of that write.
    if (isGone || (before !== null && isSameWrite(before, status))) this.#tell(events);
  }
}

/** Of a state that nobody can read nothing can be told; its owner writes it anew. */
function unlessUnreadable(error: unknown): null {
  if (!isAboutData(error)) throw error;
  return null;
}

/** null where it cannot be read: listeners get it all the same. */
function statusIn(json: string): Status | null {
  try {
    return statusSchema.parse((JSON.parse(json) as { data?: unknown }).data);
  } catch {
    return null;
  }
}

/** What a reader says without an owner carries the marks of the last write. */
function isSameWrite(a: Status, b: Status): boolean {
  return a.epoch === b.epoch && a.incarnation === b.incarnation && a.updated_at === b.updated_at;
}

function passingEvents(before: Status | null, after: Status): FeedEvent[] {
  const at = new Date().toISOString();
  return eventsOfChange(before, after).map((event) => passingEvent({ ...event, at }));
}
