import { toWid } from './ids.js';

/** Absent from the start, for tests and demos that need an absent number. */
const NUMBER_NOT_ON_WHATSAPP = '15550009999';

/** Who is on WhatsApp: everyone except the removed numbers. After `set()`, only the listed ones. */
export class Directory {
  #isEveryoneElsePresent = true;
  readonly #present = new Map<string, string>();
  readonly #absent = new Set([toWid(NUMBER_NOT_ON_WHATSAPP)]);

  /** Makes exactly these numbers be on WhatsApp. */
  set(numbers: string[]): void {
    this.#isEveryoneElsePresent = false;
    this.#present.clear();
    this.#absent.clear();
    for (const number of numbers) this.add(number);
  }

  /** `actual`: the account's real number, if it differs from the dialled one. */
  add(number: string, actual = number): void {
    this.#present.set(toWid(number), toWid(actual));
    this.#absent.delete(toWid(number));
  }

  remove(number: string): void {
    this.#present.delete(toWid(number));
    this.#absent.add(toWid(number));
  }

  /** The id of a number; null: it is not on WhatsApp. */
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
