import { idOfNumber } from '../../contract/whatsapp.js';
import type { PreparedMessage, SendRecipient } from '../../contract/worker-commands.js';
import type { Availability } from './availability.js';
import { KnownChats, nameOf } from './known-chats.js';
import { untilWoken, Waiters } from './waiters.js';

/** How many of its chat may still have to go to the page when a send is prepared. */
const preparedAhead = 7;

/** The sends to one chat that have not settled, in the order of acceptance. */
export class ChatLine {
  readonly key: string;
  places: SendPlace[] = [];
  /** By the name of the recipient: the period in which the page last answered who that is. */
  readonly answeredIn = new Map<string, number>();

  constructor(key: string) {
    this.key = key;
  }

  /** Those that the page is not known to have in this period. */
  unplaced(period: number): SendPlace[] {
    return this.places.filter(({ placedIn }) => placedIn !== period);
  }
}

/**
 * Keeps the sends to each chat in the order in which they were accepted while several are under way: a message is handed to
 * the page once all before it in its chat have settled or are in the page. What a page has, it has for one period of
 * readiness: after that each is looked for again, the oldest first, before a later one of its chat is sent. Different
 * chats do not wait for each other.
 *
 * Not guaranteed: that a number and an id are known to be one chat before WhatsApp has answered it once in this run.
 */
export class SendOrder {
  readonly availability: Availability;
  readonly #changed: (line: ChatLine) => void;
  readonly #chats = new KnownChats();
  readonly #lines = new Map<string, ChatLine>();
  #joined = 0;
  #hungIn: number | null = null;

  /** `changed`: somebody's turn may have come in this chat. */
  constructor(availability: Availability, changed: (line: ChatLine) => void) {
    this.availability = availability;
    this.#changed = changed;
  }

  /** To be called in the order of acceptance. */
  join(recipient: SendRecipient): SendPlace {
    const name = nameOf(recipient);
    const line = this.#lineOf(this.#chats.keyOf(name));
    const place = new SendPlace(this, line, name, this.#joined++);
    line.places.push(place);
    return place;
  }

  /** Two names that callers use may turn out to be one chat: then their sends are one line. */
  learn(name: string, { chatId, phone }: Pick<PreparedMessage, 'chatId' | 'phone'>): void {
    for (const other of phone === null ? [name] : [name, idOfNumber(phone)]) {
      const joined = this.#chats.join(other, chatId);
      const absorbed = joined === null ? undefined : this.#lines.get(joined.former);
      if (joined === null || absorbed === undefined) continue;
      this.#lines.delete(joined.former);
      const line = this.#lineOf(joined.key);
      for (const place of absorbed.places) place.line = line;
      line.places = [...line.places, ...absorbed.places].sort((a, b) => a.number - b.number);
      for (const [recipient, period] of absorbed.answeredIn) line.answeredIn.set(recipient, period);
      this.changed(line);
    }
  }

  /** The page of this period is given up for a send that it did not end: that counts for all that it was at. */
  pageHung(period: number): void {
    if (this.#hungIn === period) return;
    this.#hungIn = period;
    for (const { places } of this.#lines.values()) for (const place of places) place.countIfPending(period);
  }

  leave(place: SendPlace): void {
    const { line } = place;
    line.places = line.places.filter((other) => other !== place);
    if (line.places.length === 0) this.#lines.delete(line.key);
    this.changed(line);
  }

  /** Only those in front can have been waiting for it: what stands far behind is left asleep. */
  changed(line: ChatLine): void {
    for (const place of line.unplaced(this.availability.period).slice(0, preparedAhead + 1)) place.wake();
    this.#changed(line);
  }

  #lineOf(key: string): ChatLine {
    const line = this.#lines.get(key) ?? new ChatLine(key);
    this.#lines.set(key, line);
    return line;
  }
}

/** One send's place among those to its chat. */
export class SendPlace {
  line: ChatLine;
  readonly name: string;
  /** In the order of acceptance. */
  readonly number: number;
  /** The period in which the page was known to have it; null: not known. */
  placedIn: number | null = null;
  #pagesHung = 0;
  #pending: { readonly period: number; readonly since: number } | null = null;
  readonly #order: SendOrder;
  readonly #waiters = new Waiters();
  #unansweredLookUps = 0;
  /** A look-up counts for it that began after this (ms, `performance`): at most one at a time. */
  #countsFrom = performance.now();

  constructor(order: SendOrder, line: ChatLine, name: string, number: number) {
    this.#order = order;
    this.line = line;
    this.name = name;
    this.number = number;
  }

  /** How many of its chat before it the page does not have yet, as far as is known of this period. */
  ahead(period: number): number {
    return this.line.unplaced(period).indexOf(this);
  }

  /** Whoever stands in front asks who the recipient is; those behind it follow once that was answered. */
  mayBegin(period: number): boolean {
    return this.ahead(period) <= (this.isAnswered(period) ? preparedAhead : 0);
  }

  /** The page has told in this period who the recipient is. */
  isAnswered(period: number): boolean {
    return this.line.answeredIn.get(this.name) === period;
  }

  answered(period: number, told: Pick<PreparedMessage, 'chatId' | 'phone'>): void {
    this.#order.learn(this.name, told);
    this.line.answeredIn.set(this.name, period);
    for (const place of this.#ofRecipient()) place.#unansweredLookUps = 0;
    this.#order.changed(this.line);
  }

  /** Where an attempt before went. */
  wentTo(told: Pick<PreparedMessage, 'chatId' | 'phone'>): void {
    this.#order.learn(this.name, told);
  }

  /** A look-up that began at `since` was not answered: all who waited for it have waited in vain. */
  unanswered(since: number): void {
    for (const place of this.#ofRecipient()) {
      if (place.#countsFrom > since) continue;
      place.#unansweredLookUps++;
      place.#countsFrom = performance.now();
      place.wake();
    }
  }

  get unansweredLookUps(): number {
    return this.#unansweredLookUps;
  }

  /** A call that began at `calledAt` found the page at it. Since when it has been, within this period. */
  pendingSince(period: number, calledAt: number): number {
    if (this.#pending?.period !== period) this.#pending = { period, since: calledAt };
    return this.#pending.since;
  }

  /** The page of this period is given up for this message. */
  pageHung(period: number): void {
    this.#order.pageHung(period);
  }

  countIfPending(period: number): void {
    if (this.#pending?.period === period) this.#pagesHung++;
  }

  /** How many pages that were given up had begun it and not ended it. */
  get pagesHung(): number {
    return this.#pagesHung;
  }

  /** The page has the message; whoever comes after it may go on. */
  placed(period: number): void {
    this.placedIn = period;
    this.#order.changed(this.line);
  }

  /** Whether the page has the message is to be found out anew. */
  lost(): void {
    this.placedIn = null;
  }

  /** It has settled. */
  leave(): void {
    this.#order.leave(this);
  }

  wake(): void {
    this.#waiters.wake();
  }

  /** Until something changes for it, for `ms` at most, or until `signal` aborts. */
  change(ms: number, signal: AbortSignal): Promise<void> {
    return untilWoken(ms, signal, this.#order.availability.changes, this.#waiters);
  }

  #ofRecipient(): SendPlace[] {
    return this.line.places.filter(({ name }) => name === this.name);
  }
}
