import type { AuthenticationResponseJSON } from '@simplewebauthn/server';
import type { ChatRecord, ContactRecord, MessageRecord, Outgoing } from './chat-records.js';
import type { Credentials, PageKeys } from './linking.js';
import type { PasskeyOptions } from './relying-party.js';

/** Messages from a page to the server. The page's side of this protocol is page/stream.js. */
export type FromPage =
  | {
      type: 'hello';
      pageId: string;
      keys: PageKeys;
      credentials: Credentials | null;
      /** The page was loaded with hidden ids for people. */
      usesLids: boolean;
      deviceName: string;
    }
  | { type: 'refresh-qr'; deviceName: string }
  | { type: 'secret'; adv: string | null }
  | { type: 'takeover' }
  | { type: 'unknown-module'; name: string }
  | { type: 'ask'; nth: number; ask: Ask }
  /** `failure`: why the page gave up, as `reason: detail`. */
  | { type: 'passkey-stage'; stage: string; failure: string | null }
  | { type: 'message'; message: Outgoing }
  | { type: 'seen'; chatId: string };

/** Questions of a page, each with the type of its answer. */
export interface Answers {
  'pairing-code': { ask: { phone: string }; answer: string };
  'cancel-code': { ask: object; answer: null };
  /** New options for the passkey, after a failure. */
  'passkey-options': { ask: object; answer: PasskeyOptions };
  /** What the passkey signed. */
  'passkey-answer': { ask: { credential: AuthenticationResponseJSON }; answer: null };
  'passkey-confirm': { ask: { code: string }; answer: null };
  'passkey-cancel': { ask: object; answer: null };
  /** Looks a person up. */
  exists: { ask: { wid: string }; answer: ContactRecord | null };
  /** The page was called to send something: the answer decides how the call goes on. */
  'send-begins': { ask: object; answer: 'go' | 'stall-unsent' | 'stall-sent' | 'reject' };
  /** May these calls go on? A fault can refuse them or leave them unanswered. */
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

export type PageAction = 'hang' | 'reload' | 'push-state' | 'append-iframe' | 'grow';

/** Attributes that a chat or message gets instead of its usual ones. `without`: names of those that are removed. */
export interface Overrides {
  attributes: Record<string, unknown>;
  without: string[];
}

export type ToPage =
  | { type: 'state'; state: string; account?: Record<string, unknown>; alreadySynced?: boolean }
  | { type: 'ref'; ref: string }
  | { type: 'paired'; credentials: Credentials; restartMs: number }
  /** `handoffMs`: how long the page may confirm the code by itself. `waitMs`: the limit of each of its waits. */
  | {
      type: 'passkey-asked';
      options: PasskeyOptions;
      handoffMs: number;
      waitMs: number;
      withoutGet: boolean;
      withoutTestIds: boolean;
    }
  /** The phone goes on, and shows this code. */
  | { type: 'passkey-continues'; code: string }
  | { type: 'passkey-cancelled' }
  | { type: 'offline-progress'; percent: number }
  | { type: 'synced' }
  | { type: 'logged-out' }
  | { type: 'do'; action: PageAction; delayMs: number }
  | { type: 'answer'; nth: number; answer?: unknown; error?: string }
  /** All chats and messages, at each connection. A page takes those that it does not know yet. */
  | { type: 'history'; chats: ChatWithMessages[]; contacts: ContactRecord[] }
  /** Chats that the page treats as old: their messages do not count as new. */
  | { type: 'filled'; chats: ChatWithMessages[]; contacts: ContactRecord[] }
  | { type: 'chat'; chat: ChatRecord; contacts: ContactRecord[] }
  | { type: 'messages'; chats: ChatRecord[]; messages: MessageRecord[]; contacts: ContactRecord[] }
  | ({ type: 'unusual-message'; chat: ChatRecord; message: MessageRecord; isNew: boolean } & Overrides)
  | ({ type: 'unusual-chat'; chat: ChatRecord } & Overrides)
  /** `ack`: 1 to 3, or -1 for a refused message. */
  | { type: 'ack'; id: string; ack: number };

export interface ChatWithMessages {
  chat: ChatRecord;
  messages: MessageRecord[];
}
