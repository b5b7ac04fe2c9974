import type { SessionState } from '../../contract/status.js';
import type { Incarnation } from '../incarnation.js';

/** Longest wait of a timer. */
const longestMs = 2_147_483_647;

/** Which incarnation there is and in which state, for commands that wait until one can carry them out. */
export class Availability {
  #incarnation: Incarnation | null = null;
  #state: SessionState = 'starting';
  #period = 0;
  readonly #waiting = new Set<() => void>();

  update(incarnation: Incarnation | null, state: SessionState): void {
    this.#incarnation = incarnation;
    this.#state = state;
    this.#period++;
    this.notify();
  }

  /** Something else changed that somebody may wait for. */
  notify(): void {
    for (const wake of [...this.#waiting]) wake();
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
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, Math.min(Math.max(1, Math.ceil(ms)), longestMs));
      this.#waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}
