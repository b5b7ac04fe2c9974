import type { ChatRecord, ContactRecord, MessageRecord, Outgoing } from './chat-records.js';
import type { Credentials, PageKeys } from './linking.js';

/** What a page tells the server. The page's side of this protocol is page/stream.js. */
export type FromPage =
  | {
      type: 'hello';
      pageId: string;
      keys: PageKeys;
      credentials: Credentials | null;
      /** The page was loaded as one whose people go by hidden ids. */
      usesLids: boolean;
      deviceName: string;
    }
  | { type: 'refresh-qr'; deviceName: string }
  | { type: 'secret'; adv: string | null }
  | { type: 'takeover' }
  | { type: 'unknown-module'; name: string }
  | { type: 'ask'; nth: number; ask: Ask }
  | { type: 'message'; message: Outgoing }
  | { type: 'seen'; chatId: string };

/** Questions of the page, each with the type of its answer. */
export interface Answers {
  'pairing-code': { ask: { phone: string }; answer: string };
  'cancel-code': { ask: object; answer: null };
  /** Who is behind a number. */
  exists: { ask: { wid: string }; answer: ContactRecord | null };
  /** The page was called to send something: what is to come of the call. */
  'send-begins': { ask: object; answer: 'go' | 'stall-unsent' | 'stall-sent' | 'reject' };
  /** May these calls go on? They are refused or never answered where a fault says so. */
  'list-chats': { ask: object; answer: null };
  'mark-seen': { ask: object; answer: null };
  'link-preview': { ask: object; answer: null };
  /** The account reacts to a message; an empty emoji takes the reaction back. */
  reaction: { ask: { messageId: string; emoji: string }; answer: null };
  'load-earlier': { ask: object; answer: null };
  'group-metadata': { ask: object; answer: null };
  /** The first step of a detached logout. */
  sentinel: { ask: object; answer: null };
  /** The page logs itself out. */
  unpair: { ask: { reason: string }; answer: { status: number; navigationMs: number } };
}

export type Ask = { [Kind in keyof Answers]: { kind: Kind } & Answers[Kind]['ask'] }[keyof Answers];

export type PageAction = 'hang' | 'reload' | 'push-state' | 'append-iframe';

/** What a chat or message is given instead of what it would have; `without`, what is taken away. */
export interface Defect {
  attributes: Record<string, unknown>;
  without: string[];
}

export type ToPage =
  | { type: 'state'; state: string; account?: Record<string, unknown>; alreadySynced?: boolean }
  | { type: 'ref'; ref: string }
  | { type: 'paired'; credentials: Credentials; restartMs: number }
  | { type: 'passkey-asked' }
  | { type: 'passkey-cancelled' }
  | { type: 'offline-progress'; percent: number }
  | { type: 'synced' }
  | { type: 'logged-out' }
  | { type: 'do'; action: PageAction; delayMs: number }
  | { type: 'answer'; nth: number; answer?: unknown; error?: string }
  /** Everything there is, at each connection; a page takes what it does not know yet. */
  | { type: 'history'; chats: ChatWithMessages[]; contacts: ContactRecord[] }
  /** Chats that were always there, as far as listeners are concerned. */
  | { type: 'filled'; chats: ChatWithMessages[]; contacts: ContactRecord[] }
  | { type: 'chat'; chat: ChatRecord; contacts: ContactRecord[] }
  | { type: 'messages'; chats: ChatRecord[]; messages: MessageRecord[]; contacts: ContactRecord[] }
  | ({ type: 'odd-message'; chat: ChatRecord; message: MessageRecord; isNew: boolean } & Defect)
  | ({ type: 'odd-chat'; chat: ChatRecord } & Defect)
  /** 1 to 3, or -1 for a refused message. */
  | { type: 'ack'; id: string; ack: number };

export interface ChatWithMessages {
  chat: ChatRecord;
  messages: MessageRecord[];
}
