import { bounds } from '../../contract/bounds.js';
import { atMost, type Deferred, deferred } from '../../platform/deadline.js';
import type { SessionPace, SharedPace } from '../../platform/session-pace.js';

/** A message that has waited so long is accepted without a turn. */
const waitMaxMs = 5_000;

/** If more wait, the oldest is accepted without a turn: a caller keeps half of its requests for its other sessions. */
const waitingMax = bounds.requestsUnderWay / 2;

/** Lets the messages of one session be accepted in their order, no faster than the session's pace (docs/decisions/0027). */
export class AcceptTurns {
  readonly #pace: SessionPace;
  readonly #closing: AbortSignal;
  readonly #waiting = new Set<Deferred<void>>();

  /** `closing`: nothing waits after that. */
  constructor(pace: SharedPace, closing: AbortSignal) {
    this.#pace = pace.ofSession(() => this.#giveTurns(), closing);
    this.#closing = closing;
  }

  /** Resolves when a message may be accepted. */
  async next(): Promise<void> {
    const turn = deferred<void>();
    this.#waiting.add(turn);
    this.#giveTurns();
    const [oldest] = this.#waiting;
    if (oldest !== undefined && this.#waiting.size > waitingMax) this.#give(oldest);
    if (!this.#waiting.has(turn)) return;
    await atMost(turn.promise, waitMaxMs, this.#closing);
    this.#waiting.delete(turn);
  }

  #giveTurns(): void {
    for (const turn of this.#waiting) {
      if (this.#pace.take(1) === 0) return;
      this.#give(turn);
    }
  }

  #give(turn: Deferred<void>): void {
    this.#waiting.delete(turn);
    turn.resolve();
  }
}
