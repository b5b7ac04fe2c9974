import type {
  Ack,
  ChatOverview,
  ChatRecord,
  ChatSettings,
  FromPhone,
  Incoming,
  MessageRecord,
  ReceivedMessage,
} from './chat-records.js';
import {
  acknowledge,
  announceChat,
  announceFilled,
  announceMessages,
  announceUnusualChat,
  announceUnusualMessage,
} from './deliveries.js';
import { inWords, isPerson } from './ids.js';
import { type Filling, fill, massMessages } from './many-chats.js';
import { viewOf } from './people.js';
import { note, type World } from './world.js';

/**
 * The account's chats, read and written by tests. People are named by number in any spelling, or by id. Results have the ids
 * that pages have.
 */
export interface PhoneChats {
  /** Most recently active first. */
  chats(): Promise<ChatOverview[]>;
  /** Oldest first. */
  messages(chat: string): Promise<MessageRecord[]>;
  /** Creates or changes a chat. An id ending in `@g.us` makes a group. */
  setChat(chat: string, settings?: ChatSettings): Promise<ChatRecord>;
  /** A person's number as `+digits`, for display; null: there is none. */
  numberOf(id: string): Promise<string | null>;
  /** Somebody writes to the account. */
  receive(message: Incoming): Promise<MessageRecord>;
  /** The owner writes on the phone. */
  send(message: FromPhone): Promise<MessageRecord>;
  /** The owner reads the chat on the phone. */
  markRead(chat: string): Promise<void>;
  /** The other side receives or reads a message of the account now, without the delay. */
  acknowledge(messageId: string, ack: Ack): Promise<void>;
  /** The account's reactions: the emoji by message id. */
  reactions(): Promise<Record<string, string>>;
  /** Messages that the server got from pages, and how often it got each. */
  received(): Promise<ReceivedMessage[]>;
  /** Makes `count` messages in `chats` new chats; resolves to their ids. Pages get all of them in one piece. */
  mass(count: number, chats: number): Promise<string[]>;
  /** Makes chats and groups with one message each, which pages treat as old; resolves to their ids. */
  fill(filling: Filling): Promise<string[]>;
  /** Makes a message with these attributes in the page instead of its usual ones, and without those named in `without`. */
  unusualMessage(
    chat: string,
    attributes: Record<string, unknown>,
    without?: string[],
  ): Promise<MessageRecord>;
  /** The same for a new or existing chat. `serializeThrows: true` makes its `serialize()` throw. */
  unusualChat(chat: string, attributes: Record<string, unknown>, without?: string[]): Promise<ChatRecord>;
}

export function phoneChats(world: World): PhoneChats {
  const { mailbox, people } = world;
  const view = () => viewOf(people, world.page.lidChats);

  function announced(message: MessageRecord): MessageRecord {
    announceMessages(world, [message]);
    return view().message(message);
  }

  /** Stores a person's name, before the person is sent to pages. */
  function storeName(chat: string, names: { name?: string; pushname?: string }): void {
    const known = people.known(chat);
    if (isPerson(known)) people.setName(known, names);
  }

  return {
    chats: async () => mailbox.chats().map((chat) => shownOverview(chat, view())),
    messages: async (chat) => mailbox.messages(people.known(chat)).map(view().message),
    setChat: async (chat, settings) => {
      if (settings?.name !== undefined) storeName(chat, { name: settings.name });
      const record = mailbox.setChat(chat, settings);
      announceChat(world, record);
      return view().chat(record);
    },
    numberOf: async (id) => {
      const known = people.known(id);
      return known.endsWith('@c.us') ? inWords(known) : null;
    },
    receive: async (incoming) => {
      const message = mailbox.receive(incoming);
      if (incoming.name !== undefined) storeName(incoming.from, { pushname: incoming.name });
      note(world, `A message came from ${inWords(message.author ?? message.from)}.`);
      return announced(message);
    },
    send: async (outgoing) => announced(mailbox.sendFromPhone(outgoing)),
    markRead: async (chat) => announceChat(world, mailbox.markRead(chat)),
    acknowledge: async (id, ack) => acknowledge(world, people.knownMessageId(id), ack),
    reactions: async () =>
      Object.fromEntries([...mailbox.reactions()].map(([id, emoji]) => [view().messageId(id), emoji])),
    received: async () =>
      mailbox.received().map((one) => ({ ...one, id: view().messageId(one.id), to: view().id(one.to) })),
    mass: async (count, chats) => {
      const messages = massMessages(mailbox, count, chats);
      announceMessages(world, messages);
      return messages.map(({ id }) => view().messageId(id));
    },
    fill: async (filling) => {
      const filled = fill(mailbox, filling);
      announceFilled(world, filled);
      return filled.map(({ id }) => view().id(id));
    },
    unusualMessage: async (chat, attributes, without = []) => {
      const message = mailbox.unfiled(chat);
      world.unusualMessages.push({ message, attributes, without });
      announceUnusualMessage(world, { message, attributes, without });
      return view().message(message);
    },
    unusualChat: async (chat, attributes, without = []) => {
      const record = mailbox.chat(people.known(chat)) ?? mailbox.setChat(chat);
      world.unusualChats.push({ chat: record, attributes, without });
      announceUnusualChat(world, { chat: record, attributes, without });
      return view().chat(record);
    },
  };
}

function shownOverview(chat: ChatOverview, view: ReturnType<typeof viewOf>): ChatOverview {
  return { ...view.chat(chat), lastMessage: chat.lastMessage && view.message(chat.lastMessage) };
}
