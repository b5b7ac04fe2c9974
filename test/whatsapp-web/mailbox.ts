import { randomBytes } from 'node:crypto';
import type {
  Ack,
  ChatOverview,
  ChatRecord,
  ChatSettings,
  FromPhone,
  Incoming,
  MessageRecord,
  Outgoing,
  ReceivedMessage,
} from './chat-records.js';

/**
 * The account's chats and messages, as WhatsApp's server and the phone keep them, without sockets or timers.
 * A page that is linked gets them from here, as often as it starts.
 */
export class Mailbox {
  readonly #me: string;
  readonly #now: () => number;
  readonly #chats = new Map<string, ChatRecord>();
  readonly #messages = new Map<string, MessageRecord>();
  /** By id, the how-manieth it was to come. */
  readonly #arrivals = new Map<string, number>();
  readonly #received = new Map<string, ReceivedMessage>();

  constructor(me: string, now: () => number = Date.now) {
    this.#me = me;
    this.#now = now;
  }

  /** Newest activity first; chats without a message last. */
  chats(): ChatOverview[] {
    return [...this.#chats.values()]
      .map((chat) => ({ ...chat, lastMessage: this.messages(chat.id).at(-1) ?? null }))
      .map((chat) => ({ ...chat, timestamp: chat.lastMessage?.timestamp ?? null }))
      .sort((a, b) => (b.timestamp ?? 0) - (a.timestamp ?? 0) || this.#arrival(b) - this.#arrival(a));
  }

  /** Oldest first; those of one second in the order in which they came. */
  messages(chatId: string): MessageRecord[] {
    return [...this.#messages.values()]
      .filter((message) => message.chatId === chatId)
      .sort((a, b) => a.timestamp - b.timestamp);
  }

  chat(id: string): ChatRecord | undefined {
    return this.#chats.get(id);
  }

  message(id: string): MessageRecord | undefined {
    return this.#messages.get(id);
  }

  /** Creates the chat or changes it. */
  setChat(chat: string, settings: ChatSettings = {}): ChatRecord {
    const id = toWid(chat);
    const fresh: ChatRecord = {
      id,
      name: inWords(id),
      isGroup: id.endsWith('@g.us'),
      isReadOnly: false,
      isArchived: false,
      isPinned: false,
      isMuted: false,
      unreadCount: 0,
      participants: [],
    };
    const record = { ...(this.#chats.get(id) ?? fresh), ...settings };
    record.participants = record.participants.map(toWid);
    this.#chats.set(id, record);
    return record;
  }

  /** A message to the account; in a group when `chat` says which. Unread until it is read. */
  receive({ from, body, chat, name, timestamp, type, hasMedia = false }: Incoming): MessageRecord {
    const sender = toWid(from);
    const chatId = chat ? toWid(chat) : sender;
    const known = this.#chats.get(chatId);
    if (!known && chatId !== sender) throw new Error(`there is no chat ${chatId}; make it with setChat()`);
    const record = known ?? this.setChat(chatId, name ? { name } : {});
    record.unreadCount += 1;
    return this.#keep({
      key: randomKey(32),
      chatId,
      from: chatId,
      to: this.#me,
      author: record.isGroup ? sender : null,
      fromMe: false,
      body: text(body),
      type: type ?? (hasMedia ? 'image' : 'chat'),
      hasMedia,
      timestamp: timestamp ?? this.#seconds(),
      ack: 1,
    });
  }

  /** A message that the owner of the account typed on the phone. */
  sendFromPhone({ to, body, timestamp }: FromPhone): MessageRecord {
    const { id } = this.#chats.get(toWid(to)) ?? this.setChat(to);
    return this.#keepOwn(id, randomKey(32), text(body), 'chat', timestamp ?? this.#seconds());
  }

  /** A message that a page sent. A page that did not hear of the first receipt sends it again, under its id. */
  take({ key, chatId, body, type, timestamp }: Outgoing): MessageRecord {
    const chat = this.#chats.get(chatId) ?? this.setChat(chatId);
    const record =
      this.#messages.get(this.#ownId(chat.id, key)) ?? this.#keepOwn(chat.id, key, body, type, timestamp);
    const receipt = this.#received.get(record.id) ?? {
      id: record.id,
      to: chat.id,
      body,
      at: this.#now(),
      times: 0,
    };
    this.#received.set(record.id, { ...receipt, times: receipt.times + 1 });
    return record;
  }

  /** What pages have sent, in the order of arrival. */
  received(): ReceivedMessage[] {
    return structuredClone([...this.#received.values()]);
  }

  /** The owner has read the chat, on the phone or on a linked device. */
  markRead(chat: string): ChatRecord {
    const record = this.#chats.get(toWid(chat));
    if (!record) throw new Error(`there is no chat ${toWid(chat)}`);
    record.unreadCount = 0;
    return record;
  }

  /** Acks only rise. */
  raiseAck(id: string, ack: Ack): MessageRecord {
    const message = this.#messages.get(id);
    if (!message) throw new Error(`there is no message ${id}`);
    message.ack = Math.max(message.ack, ack) as Ack;
    return message;
  }

  #keepOwn(chatId: string, key: string, body: string, type: string, timestamp: number): MessageRecord {
    const own = { chatId, key, body, type, timestamp, from: this.#me, to: chatId, author: null };
    return this.#keep({ ...own, fromMe: true, hasMedia: false, ack: 1 });
  }

  #keep(message: Omit<MessageRecord, 'id'>): MessageRecord {
    const { fromMe, chatId, key, author } = message;
    const id = fromMe
      ? this.#ownId(chatId, key)
      : [false, chatId, key, author].filter((part) => part !== null).join('_');
    const record = { id, ...message };
    this.#messages.set(id, record);
    this.#arrivals.set(id, this.#arrivals.size);
    return record;
  }

  #arrival({ lastMessage }: { lastMessage: MessageRecord | null }): number {
    return this.#arrivals.get(lastMessage?.id ?? '') ?? 0;
  }

  /** In a group the id ends with who sent the message, the account itself included. */
  #ownId(chatId: string, key: string): string {
    return [true, chatId, key, ...(chatId.endsWith('@g.us') ? [this.#me] : [])].join('_');
  }

  #seconds(): number {
    return Math.floor(this.#now() / 1000);
  }
}

/** A phone number in any spelling, or an id as it is. */
export function toWid(number: string): string {
  if (/^[\w-]+@(c\.us|g\.us|lid)$/.test(number)) return number;
  const digits = String(number).replace(/\D/g, '');
  if (digits.length < 8 || digits.length > 15) throw new Error(`"${number}" is neither a number nor an id`);
  return `${digits}@c.us`;
}

/** As a person would say it. */
export function inWords(wid: string): string {
  return wid.endsWith('@c.us') ? `+${wid.split('@')[0]}` : wid;
}

function text(body: unknown): string {
  if (typeof body !== 'string') throw new Error('body must be a string');
  return body;
}

function randomKey(length: number): string {
  return randomBytes(length / 2)
    .toString('hex')
    .toUpperCase();
}
