import { bounds } from '../../contract/bounds.js';

/** The bytes of bodies that a replica holds while the rest of them comes. */
export class BodyRoom {
  #bytes = 0;

  /** Whether there was room. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > bounds.bodiesAtOnce) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}
