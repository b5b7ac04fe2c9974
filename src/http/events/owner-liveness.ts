import { z } from 'zod';
import { eventsOfChange } from '../../contract/events.js';
import { parseAs } from '../../contract/json.js';
import { supervisorPlacesKey } from '../../contract/keys.js';
import { isCurrent, type Status, statusSchema } from '../../contract/status.js';
import type { Redis } from '../../platform/redis/connection.js';
import { coalesced } from '../core/coalesce.js';
import { forBound } from '../session/effective-status.js';
import {
  type StatusTexts,
  type StatusView,
  statusKeysOf,
  UnreadableStateError,
} from '../session/session-reader.js';
import type { Followed } from './followed.js';
import { type FramedEvent, framedUnstored } from './frames.js';

export interface OwnerLivenessParts {
  readonly redis: Redis;
  /** Makes the status of a session from what Redis has. */
  readonly statusViewOf: (session: string) => (texts: StatusTexts) => StatusView;
  /** Names of all sessions. */
  readonly listSessions: () => Promise<readonly string[]>;
  /** Sends the events of one session to its clients. */
  readonly send: (events: readonly FramedEvent[]) => void;
}

/** Redis reads five texts for each. */
const checkedAtOnce = 1_000;
/** The events of a session that is made later are sent at once all the same: only the check for its owner comes later. */
const listedForMs = 3_000;

/** What is known of a session that somebody follows. */
interface Known {
  readonly viewOf: (texts: StatusTexts) => StatusView;
  /** The newest status that the clients have got; null: none, or one that cannot be parsed. */
  status: Status | null;
  ownerGoneEvents: readonly FramedEvent[] | null;
  statesSeen: number;
}

/**
 * Reports to the clients that a session has lost its owner. A dead owner writes no event. So each replica sends what
 * `/api/status` answers, `disconnected`, as events that are not in the stream. The next owner's first state is an event of the
 * stream. If the same owner comes back without having written anything, this class reports that too.
 */
export class OwnerLiveness {
  readonly #parts: OwnerLivenessParts;
  readonly #sessions = new Map<string, Known>();
  /** Names of all sessions, as they were listed last. */
  #listed: readonly string[] = [];
  #listedAt = Number.NEGATIVE_INFINITY;
  #checked = 0;
  /** Sessions to check in the next read. */
  #asked = new Set<string>();
  readonly #checkAsked: () => Promise<void>;

  constructor(parts: OwnerLivenessParts) {
    this.#parts = parts;
    this.#checkAsked = coalesced(() => this.#check());
  }

  /** While an owner is gone: the events that reported it, by session, for clients that connect later. */
  ownerGoneEvents(followed: Followed): Map<string, readonly FramedEvent[]> {
    const gone = new Map<string, readonly FramedEvent[]>();
    for (const session of followed.names ?? this.#sessions.keys()) {
      const events = this.#sessions.get(session)?.ownerGoneEvents ?? null;
      if (events !== null) gone.set(session, events);
    }
    return gone;
  }

  /** Call it with each `state` event of the streams. */
  onState({ session, json }: FramedEvent): void {
    const known = this.#knownOf(session);
    // The clients get the event even if it cannot be parsed.
    known.status = parseAs(stateEventSchema, json)?.data ?? null;
    known.ownerGoneEvents = null;
    known.statesSeen++;
  }

  /**
   * Reads the status and heartbeat of all these sessions in one round trip, and sends events if an owner has gone or come back.
   * Checks in the same turn of the event loop share it. Rejects if Redis does not answer.
   */
  async check(followed: Followed): Promise<void> {
    const names = followed.names ?? (await this.#allNames());
    for (const name of this.#slice(names)) this.#asked.add(name);
    await this.#checkAsked();
  }

  /** Call it when nobody follows anything. */
  clear(): void {
    this.#sessions.clear();
  }

  /** The next sessions to check: all of them, or of very many some with each call. */
  #slice(names: readonly string[]): readonly string[] {
    if (names.length <= checkedAtOnce) return names;
    const from = this.#checked >= names.length ? 0 : this.#checked;
    this.#checked = from + checkedAtOnce;
    return names.slice(from, from + checkedAtOnce);
  }

  async #allNames(): Promise<readonly string[]> {
    if (performance.now() - this.#listedAt > listedForMs) {
      this.#listed = await this.#parts.listSessions();
      this.#listedAt = performance.now();
    }
    return this.#listed;
  }

  /** Like {@link check}, and forgets sessions that are not among these. */
  async checkOnly(followed: Followed): Promise<void> {
    const names = followed.names ?? (await this.#allNames());
    const kept = new Set(names);
    for (const name of this.#sessions.keys()) if (!kept.has(name)) this.#sessions.delete(name);
    await this.check({ ...followed, names });
  }

  async #check(): Promise<void> {
    const names = [...this.#asked];
    this.#asked = new Set();
    if (names.length === 0) return;
    const before = names.map((name) => this.#knownOf(name).statesSeen);
    const keys = names.map(statusKeysOf);
    const [places = null, ...values] = await this.#parts.redis.mget(supervisorPlacesKey, ...keys.flat());
    names.forEach((name, i) => {
      // A state event that arrived during the read is newer.
      if (this.#knownOf(name).statesSeen !== before[i]) return;
      const count = keys[i]?.length ?? 0;
      this.#compare(name, [...values.slice(i * count, (i + 1) * count), places]);
    });
  }

  #compare(session: string, texts: StatusTexts): void {
    const known = this.#knownOf(session);
    const view = readable(() => known.viewOf(texts));
    if (view === null) return;
    const { status, heartbeat } = view;
    const isGone = !isCurrent(status, heartbeat);
    const before = known.status;
    known.status = status;
    // While nobody runs it, the reason may change: there is no room, or no supervisor any more.
    const isSame = before?.state === status.state && before.last_error === status.last_error;
    if (isGone === (known.ownerGoneEvents !== null) && (!isGone || isSame)) return;
    const events = unstoredEvents(session, before, status);
    known.ownerGoneEvents = isGone ? events : null;
    // If the owner has written since it came back, its own event in the stream reports the return.
    if (isGone || (before !== null && isSameWrite(before, status))) this.#parts.send(events);
  }

  #knownOf(session: string): Known {
    let known = this.#sessions.get(session);
    if (known === undefined) {
      const viewOf = this.#parts.statusViewOf(session);
      known = { viewOf, status: null, ownerGoneEvents: null, statesSeen: 0 };
      this.#sessions.set(session, known);
    }
    return known;
  }
}

/** A state that cannot be read is ignored. Its owner writes it again. */
function readable(view: () => StatusView): StatusView | null {
  try {
    return view();
  } catch (error) {
    if (!(error instanceof UnreadableStateError)) throw error;
    return null;
  }
}

const stateEventSchema = z.object({ data: statusSchema });

/** Whether two statuses come from the same write. The status without an owner keeps the epoch, incarnation and time of the last write. */
function isSameWrite(a: Status, b: Status): boolean {
  return a.epoch === b.epoch && a.incarnation === b.incarnation && a.updated_at === b.updated_at;
}

function unstoredEvents(session: string, before: Status | null, after: Status): FramedEvent[] {
  const at = new Date().toISOString();
  return eventsOfChange(before, after).map((change) => {
    const event = { ...change, at };
    const told = event.type === 'state' ? { ...event, data: forBound(after) } : event;
    return framedUnstored(session, event, told);
  });
}
