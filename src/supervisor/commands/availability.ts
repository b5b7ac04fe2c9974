import type { SessionState } from '../../contract/status.js';
import type { Incarnation } from '../incarnation.js';
import { untilWoken, Waiters } from './waiters.js';

/** The pause before the next incarnation, in which no command can be carried out. */
export interface RestartDelay {
  /** Its end, on the clock of `performance.now()`. */
  readonly until: number;
  /** The error for a command that cannot wait until then. */
  readonly code: 'not_supported_by_page' | 'session_not_ready';
  readonly message: string;
  /** No phone is linked: the next incarnation can only come to a QR. */
  readonly needsScan: boolean;
}

/** The current incarnation and its state. Commands wait here until an incarnation can carry them out. */
export class Availability {
  /** Woken at each change. */
  readonly changes = new Waiters();
  #incarnation: Incarnation | null = null;
  #state: SessionState = 'starting';
  #period = 0;
  #restartDelay: RestartDelay | null = null;

  /** `restartDelay`: the pause that begins with this change. */
  update(
    incarnation: Incarnation | null,
    state: SessionState,
    restartDelay: RestartDelay | null = null,
  ): void {
    this.#incarnation = incarnation;
    this.#state = state;
    this.#period++;
    this.#restartDelay = restartDelay;
    this.notify();
  }

  /** Wakes all waiting commands: something other than the state has changed. */
  notify(): void {
    this.changes.wake();
  }

  /** The current pause, until the next change of state. */
  get restartDelay(): RestartDelay | null {
    return this.#restartDelay;
  }

  get state(): SessionState {
    return this.#state;
  }

  /** A new number with each change of state. While it stays the same, the page is not known to have reloaded. */
  get period(): number {
    return this.#period;
  }

  /** The incarnation if it is in `state` now, else null. */
  in(state: SessionState): Incarnation | null {
    return this.#state === state ? this.#incarnation : null;
  }

  /** Resolves at the next change, after `ms`, or when `signal` aborts. Never rejects. */
  change(ms: number, signal: AbortSignal): Promise<void> {
    return untilWoken(ms, signal, this.changes);
  }
}
