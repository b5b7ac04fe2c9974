import { bounds } from '../../contract/bounds.js';
import { InFlightLimit } from './in-flight.js';

export type FullBodyMemory = 'bodiesAtOnce' | 'bodiesPerCaller';

/** The bytes of bodies that a replica holds while the rest of them comes, and each caller's part of them. */
export class BodyMemory {
  readonly #ofCallers = new InFlightLimit('bodiesPerCaller', 'bytes of bodies');
  #bytes = 0;

  /** null: there was room; else the bound that leaves none. */
  take(caller: string, bytes: number): FullBodyMemory | null {
    if (!this.#ofCallers.tryEnter(caller, bytes)) return 'bodiesPerCaller';
    if (this.#bytes + bytes > bounds.bodiesAtOnce) {
      this.#ofCallers.leave(caller, bytes);
      return 'bodiesAtOnce';
    }
    this.#bytes += bytes;
    return null;
  }

  give(caller: string, bytes: number): void {
    this.#bytes -= bytes;
    this.#ofCallers.leave(caller, bytes);
  }
}
