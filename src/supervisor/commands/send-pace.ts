import { availableParallelism } from 'node:os';

/** Messages a second that sessions with a queue send in all, for each core that the process may use. */
const perSOfCore = 10;

/** Messages a second of each of them at least, however many they are. */
const perSMin = 1;

/** Messages that a session may send at once after a pause. */
const burst = 4;

/** So long after it had more to send than its pace allows, a session counts as one with a queue. */
const queuedForMs = 5_000;

/** So long after its last send, a session without a queue is kept from having to wait. */
const keptForMs = 60_000;

/** What the sessions of a supervisor share. */
interface Shared {
  /** Messages a second of all sessions with a queue. */
  readonly perS: number;
  /** ms, monotonic. */
  readonly now: () => number;
  /** When each session with a queue last had more to send than its pace allows. */
  readonly queued: Map<SessionPace, number>;
  /** When each session without a queue last sent. */
  readonly unqueued: Map<SessionPace, number>;
}

/**
 * Keeps one session's queue from slowing down the sends of the others. A session that sends as fast as its page can takes
 * more than a core, and a send of another session waits for a core at each process on its way. So while sessions of
 * this supervisor send now and then, those with a queue send at a steady pace, which they share. Without such sessions, each
 * sends as fast as it can.
 */
export class SendPace {
  readonly #shared: Shared;

  constructor({
    perS = perSOfCore * availableParallelism(),
    now = () => performance.now(),
  }: Partial<Pick<Shared, 'perS' | 'now'>> = {}) {
    this.#shared = { perS, now, queued: new Map(), unqueued: new Map() };
  }

  /**
   * `onRoom`: called when the session may send again after {@link SessionPace.take} returned 0. `ending`: it sends nothing after
   * that, and no longer counts.
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
  /** Messages that it may send now; not whole. */
  #room = burst;
  #countedAt: number;
  #isWaiting = false;

  constructor(shared: Shared, onRoom: () => void, ending: AbortSignal) {
    this.#shared = shared;
    this.#onRoom = onRoom;
    this.#ending = ending;
    this.#countedAt = shared.now();
    ending.addEventListener('abort', () => {
      shared.queued.delete(this);
      shared.unqueued.delete(this);
    });
  }

  /** How many of `wanted` messages, at least one, may be sent now. They count as sent. */
  take(wanted: number): number {
    const { now, queued, unqueued } = this.#shared;
    if (this.#ending.aborted) return 0;
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

function forget(times: Map<SessionPace, number>, before: number): void {
  for (const [session, at] of times) if (at <= before) times.delete(session);
}
