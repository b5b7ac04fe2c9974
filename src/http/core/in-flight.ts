import { type BoundName, bounds } from '../../contract/bounds.js';
import { ApiError } from '../../contract/errors.js';
import type { Caller } from '../auth/authorize.js';

/** Who a caller is to limits: the key; without one, the address. */
export function callerName({ keyName }: Caller, address: () => string): string {
  return keyName === '' ? `address:${address()}` : `key:${keyName}`;
}

/** How much of one kind each caller has under way on this replica, in number or in bytes, so that none of them has all of it. */
export class InFlightLimit {
  readonly #bound: BoundName;
  readonly #what: string;
  readonly #counts = new Map<string, number>();

  constructor(bound: BoundName, what: string) {
    this.#bound = bound;
    this.#what = what;
  }

  /** Throws `rate_limited`; else {@link leave} is to be called once. */
  enter(caller: string): void {
    if (this.tryEnter(caller)) return;
    throw new ApiError(
      'rate_limited',
      `one caller may have ${bounds[this.#bound]} ${this.#what} at once; try again when one of them has ended`,
      { headers: { 'retry-after': '1' }, bound: this.#bound },
    );
  }

  /** Whether there was room; then {@link leave} is to be called once, with as much. */
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
