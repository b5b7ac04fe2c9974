import type { SessionState } from '../../contract/status.js';
import { type Deferred, deferred, unlessAborted } from '../../platform/deadline.js';
import type { Incarnation } from '../incarnation.js';

/** Which incarnation there is and in which state, for commands that wait until one can carry them out. */
export class Availability {
  #incarnation: Incarnation | null = null;
  #state: SessionState = 'starting';
  #changed: Deferred<void> = deferred();

  update(incarnation: Incarnation | null, state: SessionState): void {
    this.#incarnation = incarnation;
    this.#state = state;
    this.notify();
  }

  /** Something else changed that somebody may wait for. */
  notify(): void {
    const changed = this.#changed;
    this.#changed = deferred();
    changed.resolve();
  }

  get state(): SessionState {
    return this.#state;
  }

  /** The incarnation, if it is in this state now. */
  in(state: SessionState): Incarnation | null {
    return this.#state === state ? this.#incarnation : null;
  }

  /** Until the next change, or until `signal` aborts; never rejects. */
  async change(signal: AbortSignal): Promise<void> {
    await unlessAborted(this.#changed.promise, signal).catch(() => undefined);
  }
}
