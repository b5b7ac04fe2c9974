/** Chats and messages as the stand-in stores them, sends them to pages and returns them to tests. */

export interface ChatSettings {
  name?: string;
  isReadOnly?: boolean;
  isArchived?: boolean;
  isPinned?: boolean;
  isMuted?: boolean;
  unreadCount?: number;
  /** Members of a group, by number or id. */
  participants?: string[];
}

export interface ChatRecord extends Required<ChatSettings> {
  /** `<digits>@lid` or `<digits>@c.us`, depending on the page; `…@g.us` for a group, `status@broadcast`, `…@newsletter`. */
  readonly id: string;
  readonly isGroup: boolean;
}

/** A person, as sent to pages. */
export interface ContactRecord {
  readonly lid: string;
  /** `<digits>@c.us`; null: pages do not know it. */
  readonly number: string | null;
  /** The name in the owner's address book. */
  readonly name: string | null;
  /** The name that the person chose. */
  readonly pushname: string | null;
}

export interface ChatOverview extends ChatRecord {
  /** Unix seconds of the last message. */
  readonly timestamp: number | null;
  readonly lastMessage: MessageRecord | null;
}

/** 1: the server has it; 2: delivered; 3: read. Pages also have 0, not at the server, and -1, refused by the server. */
export type Ack = 1 | 2 | 3;

export interface MessageRecord {
  /** The string of the page's message key. */
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
  /** The group, the channel or `status@broadcast` in which it is written. Default: the chat with `from`. */
  chat?: string;
  /** Name of the sender, and of a new chat with them. */
  name?: string;
  /** Unix seconds. Default: now. */
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
  /** Time of the first receipt, ms. */
  readonly at: number;
  /** How often pages sent it under this id: more than once after a lost ack. It is in the chat only once. */
  readonly times: number;
}
