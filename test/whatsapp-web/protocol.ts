import type { ChatRecord, MessageRecord, Outgoing } from './chat-records.js';
import type { Credentials, PageKeys } from './linking.js';
import type { Account } from './settings.js';

/** What a page tells the server. The page's side of this protocol is page/stream.js. */
export type FromPage =
  | { type: 'hello'; pageId: string; keys: PageKeys; credentials: Credentials | null }
  | { type: 'refresh-qr' }
  | { type: 'takeover' }
  | { type: 'logout' }
  | { type: 'unknown-module'; name: string }
  | { type: 'ask'; nth: number; ask: Ask }
  | { type: 'message'; message: Outgoing }
  | { type: 'seen'; chatId: string };

/** Questions of the page, each with the type of its answer. */
export interface Answers {
  'pairing-code': { ask: { phone: string }; answer: string };
  'cancel-code': { ask: object; answer: null };
  /** The id behind a number. */
  exists: { ask: { wid: string }; answer: string | null };
  /** The page was called to send something: what is to come of the call. */
  'send-begins': { ask: object; answer: 'go' | 'stall-unsent' | 'stall-sent' | 'reject' };
  'list-chats': { ask: object; answer: null };
}

export type Ask = { [Kind in keyof Answers]: { kind: Kind } & Answers[Kind]['ask'] }[keyof Answers];

export type PageAction = 'hang' | 'reload' | 'push-state' | 'append-iframe';

export type ToPage =
  | { type: 'state'; state: string; account?: Account; alreadySynced?: boolean }
  | { type: 'ref'; ref: string }
  | { type: 'paired'; credentials: Credentials; restartMs: number }
  | { type: 'offline-progress'; percent: number }
  | { type: 'synced' }
  | { type: 'logged-out' }
  | { type: 'logout-done'; navigationMs: number }
  | { type: 'do'; action: PageAction; delayMs: number }
  | { type: 'answer'; nth: number; answer?: unknown; error?: string }
  /** Everything there is, at each connection; a page takes what it does not know yet. */
  | { type: 'history'; chats: { chat: ChatRecord; messages: MessageRecord[] }[] }
  | { type: 'chat'; chat: ChatRecord }
  | { type: 'message'; chat: ChatRecord; message: MessageRecord }
  /** 1 to 3, or -1 for a refused message. */
  | { type: 'ack'; id: string; ack: number };
