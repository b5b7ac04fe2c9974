import type { SessionState } from '../../contract/status.js';
import type { Incarnation } from '../incarnation.js';
import { untilWoken, Waiters } from './waiters.js';

/** A pause before the next incarnation: nothing can be carried out before `until` (of `performance.now()`). */
export interface Rest {
  readonly until: number;
  /** What is told of it to whoever cannot wait as long. */
  readonly code: 'not_supported_by_page' | 'session_not_ready';
  readonly message: string;
}

/** Which incarnation there is and in which state, for commands that wait until one can carry them out. */
export class Availability {
  /** Woken at each change. */
  readonly changes = new Waiters();
  #incarnation: Incarnation | null = null;
  #state: SessionState = 'starting';
  #period = 0;
  #rest: Rest | null = null;

  /** `rest`: the pause that begins with it. */
  update(incarnation: Incarnation | null, state: SessionState, rest: Rest | null = null): void {
    this.#incarnation = incarnation;
    this.#state = state;
    this.#period++;
    this.#rest = rest;
    this.notify();
  }

  /** Something else changed that somebody may wait for. */
  notify(): void {
    this.changes.wake();
  }

  /** The pause that there is now; ends with the next change of state. */
  get rest(): Rest | null {
    return this.#rest;
  }

  get state(): SessionState {
    return this.#state;
  }

  /** Another number after each change of state: within one, the page has not loaded anew as far as is known. */
  get period(): number {
    return this.#period;
  }

  /** The incarnation, if it is in this state now. */
  in(state: SessionState): Incarnation | null {
    return this.#state === state ? this.#incarnation : null;
  }

  /** Until the next change, for `ms` at most, or until `signal` aborts; never rejects and leaves nothing behind. */
  change(ms: number, signal: AbortSignal): Promise<void> {
    return untilWoken(ms, signal, this.changes);
  }
}
