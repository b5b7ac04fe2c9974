/** One send's place among those that are under way. */
export interface SendPlace {
  /** How many of those before it the page does not have yet, as far as is known of this period. */
  ahead(period: number): number;
  /** The page has the message; whoever comes after it may go on. */
  placed(period: number): void;
  /** Whether the page has the message is to be found out anew. */
  lost(): void;
  /** It has settled. */
  leave(): void;
}

/**
 * Keeps sends in the order in which they were accepted while several are under way: a message is handed to the page once
 * all before it have settled or are in the page. What a page has, it has for one period of readiness: after that each is
 * looked for again, the oldest first, before a later one is sent.
 */
export class SendOrder {
  readonly #changed: () => void;
  /** In the order of acceptance: the period in which the page was known to have it; null: not known. */
  readonly #places = new Map<SendPlace, number | null>();

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** To be called in the order of acceptance. */
  join(): SendPlace {
    const place: SendPlace = {
      ahead: (period) => this.unplaced(period).indexOf(place),
      placed: (period) => {
        this.#places.set(place, period);
        this.#changed();
      },
      lost: () => void this.#places.set(place, null),
      leave: () => {
        this.#places.delete(place);
        this.#changed();
      },
    };
    this.#places.set(place, null);
    return place;
  }

  /** Those that the page is not known to have in this period, in the order of acceptance. */
  unplaced(period: number): SendPlace[] {
    return [...this.#places].filter(([, placedIn]) => placedIn !== period).map(([place]) => place);
  }
}
