import type { Credentials, PageKeys } from './linking.js';
import type { Account } from './settings.js';

/** What a page tells the server. The page's side of this protocol is page/stream.js. */
export type FromPage =
  | { type: 'hello'; pageId: string; keys: PageKeys; credentials: Credentials | null }
  | { type: 'refresh-qr' }
  | { type: 'takeover' }
  | { type: 'logout' }
  | { type: 'unknown-module'; name: string };

export type PageAction = 'hang' | 'reload' | 'push-state' | 'append-iframe';

export type ToPage =
  | { type: 'state'; state: string; account?: Account; alreadySynced?: boolean }
  | { type: 'ref'; ref: string }
  | { type: 'paired'; credentials: Credentials; restartMs: number }
  | { type: 'offline-progress'; percent: number }
  | { type: 'synced' }
  | { type: 'logged-out' }
  | { type: 'logout-done'; navigationMs: number }
  | { type: 'do'; action: PageAction; delayMs: number };
