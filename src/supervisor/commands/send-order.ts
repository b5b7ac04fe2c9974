import { idOfNumber } from '../../contract/whatsapp.js';
import type { PreparedMessage, SendRecipient } from '../../contract/worker-commands.js';
import type { Availability } from './availability.js';
import { aliasOf, ChatAliases } from './chat-aliases.js';
import { untilWoken, Waiters } from './waiters.js';

/** Max predecessors not yet in the page while a send is prepared. */
const predecessorsMax = 7;

/** The sends to one chat that have not settled, in the order of acceptance. */
export class ChatQueue {
  readonly key: string;
  places: SendPlace[] = [];
  /** For each alias of the recipient, the period in which the page last answered a lookup. */
  readonly lookedUpIn = new Map<string, number>();

  constructor(key: string) {
    this.key = key;
  }

  /** Sends that the page is not known to have in this period. */
  notInPage(period: number): SendPlace[] {
    return this.places.filter(({ inPagePeriod }) => inPagePeriod !== period);
  }
}

/**
 * Keeps the sends to each chat in the order of acceptance while several are under way. A message is handed to the page once
 * all its predecessors have settled or are in the page. That a page has a message is known for one period of readiness only.
 * After it, the page is searched for each message again, the oldest first, before a later one of its chat is sent.
 * Different chats do not wait for each other.
 *
 * Not guaranteed: until WhatsApp has answered a lookup in this run, a number and an id of one chat count as two chats.
 */
export class SendOrder {
  readonly availability: Availability;
  readonly #onChange: (chat: ChatQueue) => void;
  readonly #aliases = new ChatAliases();
  readonly #chats = new Map<string, ChatQueue>();
  #accepted = 0;
  #hungPeriod: number | null = null;

  /** `onChange`: a send of this chat may have become the next. */
  constructor(availability: Availability, onChange: (chat: ChatQueue) => void) {
    this.availability = availability;
    this.#onChange = onChange;
  }

  /** Adds a send as the last of its chat. Must be called in the order of acceptance. */
  join(recipient: SendRecipient): SendPlace {
    const alias = aliasOf(recipient);
    const chat = this.#chatOf(this.#aliases.keyOf(alias));
    const place = new SendPlace(this, chat, alias, this.#accepted++);
    chat.places.push(place);
    return place;
  }

  /** Joins aliases that turned out to be one chat, and merges the queues of their chats. */
  joinChats(alias: string, { chatId, phone }: Pick<PreparedMessage, 'chatId' | 'phone'>): void {
    for (const other of phone === null ? [alias] : [alias, idOfNumber(phone)]) {
      const joined = this.#aliases.join(other, chatId);
      const absorbed = joined === null ? undefined : this.#chats.get(joined.former);
      if (joined === null || absorbed === undefined) continue;
      this.#chats.delete(joined.former);
      const chat = this.#chatOf(joined.key);
      for (const place of absorbed.places) place.chat = chat;
      chat.places = [...chat.places, ...absorbed.places].sort((a, b) => a.acceptedAs - b.acceptedAs);
      absorbed.places = [];
      for (const [recipient, period] of absorbed.lookedUpIn) chat.lookedUpIn.set(recipient, period);
      this.changed(chat);
    }
  }

  /** The page of this period is replaced because it did not finish a send. Counts once for each send that it had begun. */
  countHungPage(period: number): void {
    if (this.#hungPeriod === period) return;
    this.#hungPeriod = period;
    for (const { places } of this.#chats.values()) {
      for (const place of places) place.countIfPending(period);
    }
  }

  leave(place: SendPlace): void {
    const { chat } = place;
    chat.places = chat.places.filter((other) => other !== place);
    if (chat.places.length === 0) this.#chats.delete(chat.key);
    this.changed(chat);
  }

  /** Wakes only the first sends of the chat: the others cannot start yet. */
  changed(chat: ChatQueue): void {
    for (const place of chat.notInPage(this.availability.period).slice(0, predecessorsMax + 1)) place.wake();
    this.#onChange(chat);
  }

  #chatOf(key: string): ChatQueue {
    const chat = this.#chats.get(key) ?? new ChatQueue(key);
    this.#chats.set(key, chat);
    return chat;
  }
}

/** The place of one send among those to its chat. */
export class SendPlace {
  chat: ChatQueue;
  readonly alias: string;
  /** Sequence number in the order of acceptance. */
  readonly acceptedAs: number;
  /** The period in which the page is known to have the message; null: not known. */
  inPagePeriod: number | null = null;
  #hungPages = 0;
  #pending: { readonly period: number; readonly since: number } | null = null;
  readonly #order: SendOrder;
  readonly #waiters = new Waiters();
  #unansweredLookups = 0;
  /** Only lookups that began after this time count for this send, so overlapping lookups count once (ms, `performance`). */
  #countsFrom = performance.now();

  constructor(order: SendOrder, chat: ChatQueue, alias: string, acceptedAs: number) {
    this.#order = order;
    this.chat = chat;
    this.alias = alias;
    this.acceptedAs = acceptedAs;
  }

  /** Number of sends before it in its chat that the page is not known to have in this period. */
  predecessors(period: number): number {
    return this.chat.notInPage(period).indexOf(this);
  }

  /** The first send of a chat looks up the recipient. The sends behind it may start once WhatsApp has answered. */
  mayStart(period: number): boolean {
    return this.predecessors(period) <= (this.isLookedUp(period) ? predecessorsMax : 0);
  }

  /** Whether the page has answered in this period who the recipient is. */
  isLookedUp(period: number): boolean {
    return this.chat.lookedUpIn.get(this.alias) === period;
  }

  onLookupAnswered(period: number, prepared: Pick<PreparedMessage, 'chatId' | 'phone'>): void {
    this.#order.joinChats(this.alias, prepared);
    this.chat.lookedUpIn.set(this.alias, period);
    for (const place of this.#sameRecipient()) place.#unansweredLookups = 0;
    this.#order.changed(this.chat);
  }

  /** The lookup that began at `since` was not answered. It counts for all sends to this recipient that waited for it. */
  onLookupUnanswered(since: number): void {
    for (const place of this.#sameRecipient()) {
      if (place.#countsFrom > since) continue;
      place.#unansweredLookups++;
      place.#countsFrom = performance.now();
      place.wake();
    }
  }

  get unansweredLookups(): number {
    return this.#unansweredLookups;
  }

  /** Joins the chat to which an earlier attempt was sent. */
  joinChatOf(attempt: Pick<PreparedMessage, 'chatId' | 'phone'>): void {
    this.#order.joinChats(this.alias, attempt);
  }

  /** A call that began at `calledAt` found the message pending. Returns since when it has been pending in this period. */
  pendingSince(period: number, calledAt: number): number {
    if (this.#pending?.period !== period) this.#pending = { period, since: calledAt };
    return this.#pending.since;
  }

  /** The page of this period is replaced because it did not finish this send. */
  onPageHung(period: number): void {
    this.#order.countHungPage(period);
  }

  countIfPending(period: number): void {
    if (this.#pending?.period === period) this.#hungPages++;
  }

  /** Number of pages that began to send the message, did not finish it, and were replaced. */
  get hungPages(): number {
    return this.#hungPages;
  }

  /** The page has the message. The next send of the chat may start. */
  markInPage(period: number): void {
    this.inPagePeriod = period;
    this.#order.changed(this.chat);
  }

  /** It is no longer known whether the page has the message. */
  unmarkInPage(): void {
    this.inPagePeriod = null;
  }

  /** The send has settled. */
  leave(): void {
    this.#order.leave(this);
  }

  wake(): void {
    this.#waiters.wake();
  }

  /** Resolves when something changes for this send, after `ms`, or when `signal` aborts. */
  change(ms: number, signal: AbortSignal): Promise<void> {
    return untilWoken(ms, signal, this.#order.availability.changes, this.#waiters);
  }

  #sameRecipient(): SendPlace[] {
    return this.chat.places.filter(({ alias }) => alias === this.alias);
  }
}
