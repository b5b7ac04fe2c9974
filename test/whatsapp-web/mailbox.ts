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
import { inWords, isGroup, isNewsletter, messageId, STORIES, toWid } from './ids.js';

/** Author of messages from unfiled(). */
const UNFILED_AUTHOR = '15550007777';

/**
 * The account's chats and messages, as WhatsApp's server and the phone store them, without sockets or timers. A linked page
 * gets them from here at each start.
 */
export class Mailbox {
  readonly #me: string;
  readonly #now: () => number;
  /** Turns a number or id into the id that the stand-in stores. */
  readonly #known: (numberOrId: string) => string;
  readonly #chats = new Map<string, ChatRecord>();
  readonly #messages = new Map<string, MessageRecord>();
  /** By chat, in the order of arrival. */
  readonly #byChat = new Map<string, MessageRecord[]>();
  /** By id: the position in the order of arrival. */
  readonly #arrivals = new Map<string, number>();
  readonly #received = new Map<string, ReceivedMessage>();
  /** The account's own, by message. */
  readonly #reactions = new Map<string, string>();

  constructor(me: string, now: () => number = Date.now, known: (numberOrId: string) => string = toWid) {
    this.#me = me;
    this.#now = now;
    this.#known = known;
  }

  /** Most recently active first; chats without a message last. */
  chats(): ChatOverview[] {
    return [...this.#chats.values()]
      .map((chat) => ({ ...chat, lastMessage: this.messages(chat.id).at(-1) ?? null }))
      .map((chat) => ({ ...chat, timestamp: chat.lastMessage?.timestamp ?? null }))
      .sort((a, b) => (b.timestamp ?? 0) - (a.timestamp ?? 0) || this.#arrival(b) - this.#arrival(a));
  }

  /** Oldest first; within one second in the order of arrival. */
  messages(chatId: string): MessageRecord[] {
    return (this.#byChat.get(chatId) ?? []).toSorted((a, b) => a.timestamp - b.timestamp);
  }

  chat(id: string): ChatRecord | undefined {
    return this.#chats.get(id);
  }

  message(id: string): MessageRecord | undefined {
    return this.#messages.get(id);
  }

  /** Creates or changes the chat. */
  setChat(chat: string, settings: ChatSettings = {}): ChatRecord {
    const id = this.#known(chat);
    const fresh: ChatRecord = {
      id,
      name: inWords(id),
      isGroup: isGroup(id),
      isReadOnly: false,
      isArchived: false,
      isPinned: false,
      isMuted: false,
      unreadCount: 0,
      participants: [],
    };
    const record = { ...(this.#chats.get(id) ?? fresh), ...settings };
    record.participants = record.participants.map(this.#known);
    this.#chats.set(id, record);
    return record;
  }

  /** Stores a message to the account, unread. `chat` names a group, a channel or the stories. */
  receive({ from, body, chat, name, timestamp, type, hasMedia = false }: Incoming): MessageRecord {
    const sender = this.#known(from);
    const chatId = chat ? this.#known(chat) : sender;
    const known = this.#chats.get(chatId);
    const isImplicit = chatId === sender || chatId === STORIES || isNewsletter(chatId);
    if (!known && !isImplicit) throw new Error(`there is no chat ${chatId}; make it with setChat()`);
    const record = known ?? this.setChat(chatId, name && chatId === sender ? { name } : {});
    record.unreadCount += 1;
    return this.#keep({
      key: randomKey(32),
      chatId,
      from: chatId,
      to: this.#me,
      author: record.isGroup || chatId === STORIES ? sender : null,
      fromMe: false,
      body: text(body),
      type: type ?? (hasMedia ? 'image' : 'chat'),
      hasMedia,
      timestamp: timestamp ?? this.#seconds(),
      ack: 1,
    });
  }

  /** Makes an incoming message without storing it in a chat. */
  unfiled(chat: string): MessageRecord {
    const chatId = this.#known(chat);
    const author = isGroup(chatId) || chatId === STORIES ? this.#known(UNFILED_AUTHOR) : null;
    const about = {
      chatId,
      from: chatId,
      to: this.#me,
      author,
      body: 'unusual',
      type: 'chat',
      ack: 1 as const,
    };
    const message = {
      ...about,
      key: randomKey(32),
      fromMe: false,
      hasMedia: false,
      timestamp: this.#seconds(),
    };
    return { id: messageId(message, this.#me), ...message };
  }

  /** Stores a message that the account's owner typed on the phone. */
  sendFromPhone({ to, body, timestamp }: FromPhone): MessageRecord {
    const { id } = this.#chats.get(this.#known(to)) ?? this.setChat(to);
    return this.#keepOwn(id, randomKey(32), text(body), 'chat', timestamp ?? this.#seconds());
  }

  /** Stores a message that a page sent. A page that got no ack sends it again under the same id. */
  take({ key, chatId: to, body, type, timestamp }: Outgoing): MessageRecord {
    const chatId = this.#known(to);
    const chat = this.#chats.get(chatId) ?? this.setChat(chatId);
    const record =
      this.#messages.get(this.ownId(chat.id, key)) ?? this.#keepOwn(chat.id, key, body, type, timestamp);
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

  /** The account's reaction to a message; an empty emoji takes it back. */
  react(id: string, emoji: string): void {
    if (!this.#messages.has(id)) throw new Error(`there is no message ${id}`);
    if (emoji === '') this.#reactions.delete(id);
    else this.#reactions.set(id, emoji);
  }

  /** By message id. */
  reactions(): ReadonlyMap<string, string> {
    return this.#reactions;
  }

  timesReceived(id: string): number {
    return this.#received.get(id)?.times ?? 0;
  }

  /** Messages that pages have sent, in the order of arrival. */
  received(): ReceivedMessage[] {
    return structuredClone([...this.#received.values()]);
  }

  /** Marks the chat as read, on the phone or on a linked device. */
  markRead(chat: string): ChatRecord {
    const id = this.#known(chat);
    const record = this.#chats.get(id);
    if (!record) throw new Error(`there is no chat ${id}`);
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
    const record = { id: messageId(message, this.#me), ...message };
    const { id, chatId } = record;
    const ofChat = this.#byChat.get(chatId) ?? [];
    ofChat.push(record);
    this.#byChat.set(chatId, ofChat);
    this.#messages.set(id, record);
    this.#arrivals.set(id, this.#arrivals.size);
    return record;
  }

  #arrival({ lastMessage }: { lastMessage: MessageRecord | null }): number {
    return this.#arrivals.get(lastMessage?.id ?? '') ?? 0;
  }

  /** The id of a message from the account. */
  ownId(to: string, key: string): string {
    return messageId({ fromMe: true, chatId: this.#known(to), key, author: null }, this.#me);
  }

  #seconds(): number {
    return Math.floor(this.#now() / 1000);
  }
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
