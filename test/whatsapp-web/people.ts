import type { ChatRecord, ContactRecord, MessageRecord } from './chat-records.js';
import { inWords, isPerson, lidOf, messageId, toWid } from './ids.js';
import type { Account } from './settings.js';

/**
 * Numbers, hidden ids and names of people. Each person has a number and a hidden id, or only a hidden id. The stand-in stores
 * people by number if there is one. Records for a page have the ids that this page uses.
 */
export class People {
  readonly #owner: Account;
  /** Numbers by hidden id, of all people who were ever named by number. */
  readonly #numbers = new Map<string, string>();
  readonly #hidden = new Set<string>();
  /** People whom pages have looked up. Pages know them from then on, as on the real page. */
  readonly #askedFor = new Set<string>();
  readonly #names = new Map<string, { name?: string; pushname?: string }>();

  constructor(owner: Account) {
    this.#owner = owner;
    this.#numbers.set(owner.lid, owner.wid);
  }

  get me(): string {
    return this.#owner.wid;
  }

  /** The id that the stand-in stores: the number if there is one. */
  known(numberOrId: string): string {
    const id = toWid(numberOrId);
    if (id.endsWith('@c.us')) this.lid(id);
    return this.#numbers.get(id) ?? id;
  }

  lid(known: string): string {
    if (!known.endsWith('@c.us')) return known;
    if (known === this.#owner.wid) return this.#owner.lid;
    const lid = lidOf(known);
    this.#numbers.set(lid, known);
    return lid;
  }

  /** Converts a page's message id to the one that the stand-in stores. */
  knownMessageId(id: string): string {
    const parts = String(id).split('_');
    return parts.map((part) => (isPerson(part) ? this.known(part) : part)).join('_');
  }

  /** Hides the number from pages until they look it up. */
  hide(number: string): void {
    this.#hidden.add(this.known(number));
  }

  /** A page has looked up this number: pages know it from now on. */
  reveal(known: string): void {
    this.#hidden.delete(known);
    this.#askedFor.add(known);
  }

  askedFor(): ContactRecord[] {
    return [...this.#askedFor].map((known) => this.contact(known));
  }

  isHidden(known: string): boolean {
    return this.#hidden.has(known);
  }

  setName(known: string, names: { name?: string; pushname?: string }): void {
    this.#names.set(known, { ...this.#names.get(known), ...names });
  }

  contact(known: string): ContactRecord {
    const { name = null, pushname = null } = this.#names.get(known) ?? {};
    const isNumberShown = known.endsWith('@c.us') && !this.#hidden.has(known);
    return { lid: this.lid(known), number: isNumberShown ? known : null, name, pushname };
  }

  /** The people in these chats and messages. */
  contactsOf(chats: readonly ChatRecord[], messages: readonly MessageRecord[]): ContactRecord[] {
    const ids = new Set<string>();
    for (const { id, participants } of chats) for (const one of [id, ...participants]) ids.add(one);
    for (const { author } of messages) if (author) ids.add(author);
    ids.delete(this.#owner.wid);
    return [...ids].filter(isPerson).map((id) => this.contact(id));
  }
}

/** Converts records for a page or a test: people by hidden ids, or by numbers. */
export interface View {
  id(known: string): string;
  chat<T extends ChatRecord>(chat: T): T;
  message(message: MessageRecord): MessageRecord;
  messageId(knownMessageId: string): string;
}

export function viewOf(people: People, usesLids: boolean): View {
  const id = (known: string) => (usesLids && isPerson(known) ? people.lid(known) : known);
  return {
    id,
    chat: (chat) => ({
      ...chat,
      id: id(chat.id),
      name: usesLids && people.isHidden(chat.id) && chat.name === inWords(chat.id) ? id(chat.id) : chat.name,
      participants: chat.participants.map(id),
    }),
    message: (message) => {
      const [chatId, from, to] = [id(message.chatId), id(message.from), id(message.to)];
      const shown = { ...message, chatId, from, to, author: message.author && id(message.author) };
      return { ...shown, id: messageId(shown, id(people.me)) };
    },
    messageId: (known) => known.split('_').map(id).join('_'),
  };
}
