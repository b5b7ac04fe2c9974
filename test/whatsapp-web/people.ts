import type { ChatRecord, ContactRecord, MessageRecord } from './chat-records.js';
import { inWords, isPerson, lidOf, messageId, toWid } from './ids.js';
import type { Account } from './settings.js';

/**
 * Who is who: each person has a number and a hidden id, or a hidden id only. The stand-in keeps people by number where there
 * is one; what goes to a page is written with the ids that this page has.
 */
export class People {
  readonly #owner: Account;
  /** By hidden id, of everybody who was ever named by number. */
  readonly #numbers = new Map<string, string>();
  readonly #hidden = new Set<string>();
  /** Whom pages have asked for: as on the real page, they know them from then on. */
  readonly #askedFor = new Set<string>();
  readonly #names = new Map<string, { name?: string; pushname?: string }>();

  constructor(owner: Account) {
    this.#owner = owner;
    this.#numbers.set(owner.lid, owner.wid);
  }

  get me(): string {
    return this.#owner.wid;
  }

  /** The id that the stand-in keeps: the number where there is one. */
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

  /** A message's id from a page, as the stand-in keeps it. */
  knownMessageId(id: string): string {
    const parts = String(id).split('_');
    return parts.map((part) => (isPerson(part) ? this.known(part) : part)).join('_');
  }

  /** Pages do not learn the number until they ask for it. */
  hide(number: string): void {
    this.#hidden.add(this.known(number));
  }

  /** A page has asked for this number: pages know it from now on. */
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

  /** Those that these chats and messages name. */
  contactsOf(chats: readonly ChatRecord[], messages: readonly MessageRecord[]): ContactRecord[] {
    const ids = new Set<string>();
    for (const { id, participants } of chats) for (const one of [id, ...participants]) ids.add(one);
    for (const { author } of messages) if (author) ids.add(author);
    ids.delete(this.#owner.wid);
    return [...ids].filter(isPerson).map((id) => this.contact(id));
  }
}

/** Records as a page, or a test, has them: people by hidden ids, or by numbers. */
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
