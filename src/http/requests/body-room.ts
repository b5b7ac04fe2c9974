import { bounds } from '../../contract/bounds.js';

export type FullBodyRoom = 'bodiesAtOnce' | 'bodiesPerCaller';

/** The bytes of bodies that a replica holds while the rest of them comes, and each caller's part of them. */
export class BodyRoom {
  readonly #ofCallers = new Map<string, number>();
  #bytes = 0;

  /** null: there was room; else the bound that leaves none. */
  take(caller: string, bytes: number): FullBodyRoom | null {
    const own = (this.#ofCallers.get(caller) ?? 0) + bytes;
    if (own > bounds.bodiesPerCaller) return 'bodiesPerCaller';
    if (this.#bytes + bytes > bounds.bodiesAtOnce) return 'bodiesAtOnce';
    this.#bytes += bytes;
    this.#ofCallers.set(caller, own);
    return null;
  }

  give(caller: string, bytes: number): void {
    this.#bytes -= bytes;
    const left = (this.#ofCallers.get(caller) ?? 0) - bytes;
    if (left > 0) this.#ofCallers.set(caller, left);
    else this.#ofCallers.delete(caller);
  }
}
