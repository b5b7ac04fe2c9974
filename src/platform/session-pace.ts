import { availableParallelism } from 'node:os';

/** Messages a second of all sessions with a queue: more can be accepted than sent, so that queues fill. */
export const acceptedPerS = 50 * availableParallelism();
export const sentPerS = 10 * availableParallelism();

/** Messages a second of each session with a queue at least, however many they are. */
const perSMin = 1;

/** Messages that a session may have at once after a pause. */
const burst = 4;

/** So long after it wanted more than its pace allows, a session counts as one with a queue. */
const queuedForMs = 5_000;

/** So long after its last message, a session without a queue is kept from having to wait. */
const keptForMs = 60_000;

/** What the sessions of a process share. */
interface Shared {
  /** Messages a second of all sessions with a queue. */
  readonly perS: number;
  /** ms, monotonic. */
  readonly now: () => number;
  /** When each session with a queue last wanted more than its pace allows. */
  readonly queued: Map<SessionPace, number>;
  /** When each session without a queue last had a message. */
  readonly unqueued: Map<SessionPace, number>;
}

/**
 * Keeps one session's queue from slowing down the sends of the others. A session that has as many messages accepted, or sent, as it
 * can takes more than a core, and a send of another session waits for a core at each process on its way. So while sessions of
 * this process send now and then, those with a queue keep a steady pace, which they share. Without such sessions, each goes as
 * fast as it can.
 */
export class SharedPace {
  readonly #shared: Shared;

  /** `perS`: messages a second of all sessions with a queue. `now`: ms, monotonic. */
  constructor(perS: number, now = () => performance.now()) {
    this.#shared = { perS, now, queued: new Map(), unqueued: new Map() };
  }

  /**
   * `onRoom`: called when the session may go on after {@link SessionPace.take} returned 0. `ending`: it gets nothing after that, and
   * no longer counts.
   */
  ofSession(onRoom: () => void, ending: AbortSignal): SessionPace {
    return new SessionPace(this.#shared, onRoom, ending);
  }
}

/** The pace of one session. */
export class SessionPace {
  readonly #shared: Shared;
  readonly #onRoom: () => void;
  readonly #ending: AbortSignal;
  /** Messages that it may have now; not whole. */
  #room = burst;
  #countedAt: number;
  #isWaiting = false;

  constructor(shared: Shared, onRoom: () => void, ending: AbortSignal) {
    this.#shared = shared;
    this.#onRoom = onRoom;
    this.#ending = ending;
    this.#countedAt = shared.now();
  }

  get hasEnded(): boolean {
    return this.#ending.aborted;
  }

  /** How many of `wanted` messages, at least one, it may have now. They count as had. */
  take(wanted: number): number {
    const { now, queued, unqueued } = this.#shared;
    if (this.hasEnded) return 0;
    this.#count();
    const allowed = Math.min(wanted, Math.floor(this.#room));
    if (allowed < wanted) queued.set(this, now());
    if (this.#hasQueue) unqueued.delete(this);
    else unqueued.set(this, now());
    const taken = this.#isAnyOtherKept ? allowed : wanted;
    this.#room = Math.max(0, this.#room - taken);
    if (taken === 0) this.#wait();
    return taken;
  }

  get #hasQueue(): boolean {
    const { now, queued } = this.#shared;
    forget(queued, now() - queuedForMs);
    return queued.has(this);
  }

  /** Another session has no queue and sends now and then. */
  get #isAnyOtherKept(): boolean {
    const { now, unqueued } = this.#shared;
    forget(unqueued, now() - keptForMs);
    return unqueued.size > (unqueued.has(this) ? 1 : 0);
  }

  get #perMs(): number {
    const { perS, queued } = this.#shared;
    return (this.#hasQueue ? Math.max(perSMin, perS / queued.size) : perS) / 1_000;
  }

  #count(): void {
    const now = this.#shared.now();
    this.#room = Math.min(burst, this.#room + (now - this.#countedAt) * this.#perMs);
    this.#countedAt = now;
  }

  /** Calls {@link #onRoom} when there is room for a message. */
  #wait(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    const ms = Math.ceil((1 - this.#room) / this.#perMs);
    setTimeout(() => {
      this.#isWaiting = false;
      this.#onRoom();
    }, ms);
  }
}

/** Forgets sessions that have ended, and those whose time is over. */
function forget(times: Map<SessionPace, number>, before: number): void {
  for (const [session, at] of times) if (at <= before || session.hasEnded) times.delete(session);
}
