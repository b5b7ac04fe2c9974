import { z } from 'zod';
import { eventsOfChange } from '../../contract/events.js';
import { parseAs } from '../../contract/json.js';
import { isCurrent, type Status, statusSchema } from '../../contract/status.js';
import { isWrongType } from '../../platform/data-errors.js';
import { type SessionReader, UnreadableStateError } from '../session/session-reader.js';
import { type FramedEvent, framedUnstored } from './frames.js';

/**
 * Reports to the clients that the session has lost its owner. A dead owner writes no event. So each replica sends what
 * `/api/status` answers, `disconnected`, as events that are not in the stream. The next owner's first state is an event of the
 * stream. If the same owner comes back without having written anything, this class reports that too.
 */
export class OwnerLiveness {
  readonly #reader: SessionReader;
  readonly #send: (events: readonly FramedEvent[]) => void;
  /** The newest status that the clients have got; null: none, or one that cannot be parsed. */
  #knownStatus: Status | null = null;
  #ownerGoneEvents: readonly FramedEvent[] | null = null;
  #statesSeen = 0;

  constructor(reader: SessionReader, send: (events: readonly FramedEvent[]) => void) {
    this.#reader = reader;
    this.#send = send;
  }

  /** While the owner is gone: the events that reported it, for clients that connect later. Otherwise null. */
  get ownerGoneEvents(): readonly FramedEvent[] | null {
    return this.#ownerGoneEvents;
  }

  /** Call it with each `state` event of the stream, as JSON. */
  onState(json: string): void {
    // The clients get the event even if it cannot be parsed.
    this.#knownStatus = parseAs(stateEventSchema, json)?.data ?? null;
    this.#ownerGoneEvents = null;
    this.#statesSeen++;
  }

  /** Reads status and heartbeat, and sends events if the owner has gone or come back. Throws `redis_unavailable`. */
  async check(): Promise<void> {
    const statesSeen = this.#statesSeen;
    const read = await this.#reader.status().catch(nullIfUnreadable);
    if (read === null) return;
    const { status, heartbeat } = read;
    // A state event that arrived during the read is newer.
    if (statesSeen !== this.#statesSeen) return;
    const isGone = !isCurrent(status, heartbeat);
    const before = this.#knownStatus;
    this.#knownStatus = status;
    if (isGone === (this.#ownerGoneEvents !== null)) return;
    const events = unstoredEvents(before, status);
    this.#ownerGoneEvents = isGone ? events : null;
    // If the owner has written since it came back, its own event in the stream reports the return.
    if (isGone || (before !== null && isSameWrite(before, status))) this.#send(events);
  }
}

/** A state that cannot be read is ignored. Its owner writes it again. */
function nullIfUnreadable(error: unknown): null {
  if (!(error instanceof UnreadableStateError || isWrongType(error))) throw error;
  return null;
}

const stateEventSchema = z.object({ data: statusSchema });

/** Whether two statuses come from the same write. The status without an owner keeps the epoch, incarnation and time of the last write. */
function isSameWrite(a: Status, b: Status): boolean {
  return a.epoch === b.epoch && a.incarnation === b.incarnation && a.updated_at === b.updated_at;
}

function unstoredEvents(before: Status | null, after: Status): FramedEvent[] {
  const at = new Date().toISOString();
  return eventsOfChange(before, after).map((event) => framedUnstored({ ...event, at }));
}
