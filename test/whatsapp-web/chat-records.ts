/** Chats and messages as the stand-in keeps them, sends them to its pages and shows them to tests. */

export interface ChatSettings {
  name?: string;
  isReadOnly?: boolean;
  isArchived?: boolean;
  isPinned?: boolean;
  isMuted?: boolean;
  unreadCount?: number;
  /** Numbers or ids; of a group. */
  participants?: string[];
}

export interface ChatRecord extends Required<ChatSettings> {
  /** `<digits>@lid` or `<digits>@c.us`, as the page has it; `…@g.us` for a group, `status@broadcast`, `…@newsletter`. */
  readonly id: string;
  readonly isGroup: boolean;
}

/** A person as pages are told of them. */
export interface ContactRecord {
  readonly lid: string;
  /** `<digits>@c.us`; null where pages do not know it. */
  readonly number: string | null;
  /** In the owner's address book. */
  readonly name: string | null;
  /** What they call themselves. */
  readonly pushname: string | null;
}

export interface ChatOverview extends ChatRecord {
  /** Unix seconds of the last message. */
  readonly timestamp: number | null;
  readonly lastMessage: MessageRecord | null;
}

/** 1: the server has it, 2: delivered, 3: read. Only in a page: 0, not at the server, and -1, refused by it. */
export type Ack = 1 | 2 | 3;

export interface MessageRecord {
  /** As the page's message key has it. */
  readonly id: string;
  /** The random part of the id, made by the sender. */
  readonly key: string;
  readonly chatId: string;
  readonly from: string;
  readonly to: string;
  /** Who wrote an incoming message in a group, or a story. */
  readonly author: string | null;
  readonly fromMe: boolean;
  readonly body: string;
  readonly type: string;
  readonly hasMedia: boolean;
  /** Unix seconds. */
  readonly timestamp: number;
  ack: Ack;
}

export interface Incoming {
  from: string;
  body: string;
  /** The group, the channel or `status@broadcast` it is written in; without it, the chat with `from`. */
  chat?: string;
  /** What the sender is called, and their chat if it is new. */
  name?: string;
  /** Unix seconds; now without it. */
  timestamp?: number;
  /** WhatsApp's name of the kind: `chat`, `image`, `e2e_notification`, … */
  type?: string;
  hasMedia?: boolean;
}

export interface FromPhone {
  to: string;
  body: string;
  timestamp?: number;
}

/** A message as a page sends it. */
export interface Outgoing {
  readonly key: string;
  readonly chatId: string;
  readonly body: string;
  readonly type: string;
  readonly timestamp: number;
}

export interface ReceivedMessage {
  readonly id: string;
  readonly to: string;
  readonly body: string;
  /** Of the first receipt, in milliseconds. */
  readonly at: number;
  /** How often a page sent it under this id: above 1 after a lost ack. The chat has it once all the same. */
  readonly times: number;
}
