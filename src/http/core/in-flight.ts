import { type BoundName, bounds } from '../../contract/bounds.js';
import { ApiError } from '../../contract/errors.js';

/** Limits how much each caller has in flight on this replica, as a count or in bytes. So no caller can use up the replica. */
export class InFlightLimit {
  readonly #bound: BoundName;
  readonly #what: string;
  readonly #counts = new Map<string, number>();

  /** `what`: a plural noun for the error message. */
  constructor(bound: BoundName, what: string) {
    this.#bound = bound;
    this.#what = what;
  }

  /** Throws `rate_limited` if there is no room. Otherwise call {@link leave} once. */
  enter(caller: string): void {
    if (this.tryEnter(caller)) return;
    throw new ApiError(
      'rate_limited',
      `one caller may have ${bounds[this.#bound]} ${this.#what} at once; try again when one of them has ended`,
      { headers: { 'retry-after': '1' }, bound: this.#bound },
    );
  }

  /** Returns whether there was room. If so, call {@link leave} once with the same amount. */
  tryEnter(caller: string, amount = 1): boolean {
    const count = (this.#counts.get(caller) ?? 0) + amount;
    if (count > bounds[this.#bound]) return false;
    this.#counts.set(caller, count);
    return true;
  }

  leave(caller: string, amount = 1): void {
    const count = (this.#counts.get(caller) ?? 0) - amount;
    if (count > 0) this.#counts.set(caller, count);
    else this.#counts.delete(caller);
  }
}

export type BodyMemoryBound = 'bodiesAtOnce' | 'bodiesPerCaller';

/** The bytes of incomplete request bodies that this replica holds: in all, and for each caller. */
export class BodyMemory {
  readonly #perCaller = new InFlightLimit('bodiesPerCaller', 'bytes of bodies');
  #bytes = 0;

  /** null: reserved; later call {@link release} with the same number of bytes. Otherwise the bound that was reached. */
  reserve(caller: string, bytes: number): BodyMemoryBound | null {
    if (!this.#perCaller.tryEnter(caller, bytes)) return 'bodiesPerCaller';
    if (this.#bytes + bytes > bounds.bodiesAtOnce) {
      this.#perCaller.leave(caller, bytes);
      return 'bodiesAtOnce';
    }
    this.#bytes += bytes;
    return null;
  }

  release(caller: string, bytes: number): void {
    this.#bytes -= bytes;
    this.#perCaller.leave(caller, bytes);
  }
}
