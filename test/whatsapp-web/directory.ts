import { toWid } from './ids.js';

/** Absent from the start, so that there is one to try without setting anything. */
const NUMBER_NOT_ON_WHATSAPP = '15550009999';

/** Who is on WhatsApp: everyone, but for the numbers that were removed; or, after `set()`, those listed only. */
export class Directory {
  #isEveryoneElsePresent = true;
  readonly #present = new Map<string, string>();
  readonly #absent = new Set([toWid(NUMBER_NOT_ON_WHATSAPP)]);

  /** Exactly these numbers are on WhatsApp. */
  set(numbers: string[]): void {
    this.#isEveryoneElsePresent = false;
    this.#present.clear();
    this.#absent.clear();
    for (const number of numbers) this.add(number);
  }

  /** `actual` is the number that the account really has where it differs from how it is dialled. */
  add(number: string, actual = number): void {
    this.#present.set(toWid(number), toWid(actual));
    this.#absent.delete(toWid(number));
  }

  remove(number: string): void {
    this.#present.delete(toWid(number));
    this.#absent.add(toWid(number));
  }

  /** The id behind a number; null when it is not on WhatsApp. */
  find(wid: string): string | null {
    if (this.#absent.has(wid)) return null;
    return this.#present.get(wid) ?? (this.#isEveryoneElsePresent ? wid : null);
  }

  list(): { everyoneElse: boolean; present: string[]; absent: string[] } {
    return {
      everyoneElse: this.#isEveryoneElsePresent,
      present: [...this.#present.keys()],
      absent: [...this.#absent],
    };
  }
}
