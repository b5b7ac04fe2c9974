import type { BoundName } from './bounds.js';
import type { IncarnationExit } from './exit-reasons.js';
import type { Account, Fence, RunFacts, SessionState } from './status.js';

/**
 * What supervisor and session worker say to each other over the worker's MessagePort: plain data only,
 * because `postMessage(error)` drops every custom field.
 */

/**
 * The page's localStorage at a moment when the account was linked. Chromium writes it to the disk some seconds late,
 * and without it the login is lost; so it is kept beside the profile until it is there. A secret.
 */
export type LoginStorage = Readonly<Record<string, string>>;

/** What an incarnation is, before there is a browser to attach to. */
export interface ThreadData {
  /** Its epoch and incarnation are the fence of the thread's writes. */
  readonly run: RunFacts;
  /** Kept in the status until `qr` or `authenticated`. */
  readonly lastError: string | null;
  readonly account: Account | null;
  /** The profile was linked before: a QR from it means that the login is void. */
  readonly isLinked: boolean;
  /** Of a login that did not reach the disk: to be put back into the page before it loads. */
  readonly loginStorage: LoginStorage | null;
  readonly redisUrl: string;
  readonly webVersion: string | null;
  /** What the phone lists under Linked devices. */
  readonly deviceName: string;
  readonly logLevel: string;
  readonly timing: ThreadTiming;
}

export interface ThreadTiming {
  readonly socketTimeoutMs: number;
  readonly loopBeatIntervalMs: number;
  readonly startDeadlineMs: number;
  readonly syncDeadlineMs: number;
  readonly watchIntervalMs: number;
  readonly pageCheckIntervalMs: number;
  readonly pageCheckTimeoutMs: number;
  readonly readyGraceMs: number;
  readonly reconnectDeadlineMs: number;
  readonly pairingCodeMs: number;
  readonly passkeyMs: number;
  readonly logoutDeadlineMs: number;
  readonly keepLoginMs: number;
}

/** Speaks the DevTools protocol with the browser, a message at a time. */
export type BrowserPort = InstanceType<typeof MessagePort>;

export type ToThread =
  /** The first: the thread, whose modules are loaded, becomes this incarnation. */
  | { readonly type: 'begin'; readonly data: ThreadData }
  /** The browser is up: attach to it and log in. */
  | { readonly type: 'attach'; readonly browser: BrowserPort }
  /** Redis lost the fence but not the lease: write the full state again under this one. */
  | { readonly type: 'fence'; readonly fence: Fence }
  /** Carry out an operation of the session worker; settled by one `answer` or `refusal` with the same id. */
  | {
      readonly type: 'command';
      readonly id: string;
      /** Of the HTTP requests behind it. */
      readonly requestIds: readonly string[];
      readonly operation: string;
      readonly input: unknown;
    }
  /** The login that the thread told of outlives this browser from now on. */
  | { readonly type: 'login-kept' }
  | { readonly type: 'logout' }
  | { readonly type: 'stop' };

export type FromThread =
  /** The thread's event loop turns. */
  | { readonly type: 'alive' }
  | { readonly type: 'state'; readonly state: SessionState; readonly account: Account | null }
  /** A fresh login that is not on the disk yet. With an account it has synced: `ready` waits for `login-kept`. */
  | { readonly type: 'login'; readonly storage: LoginStorage; readonly account: Account | null }
  /** The incarnation is over; the thread waits to be terminated. */
  | ({ readonly type: 'failed' } & IncarnationExit)
  /** A state write under this fence was refused: another stands in Redis. */
  | { readonly type: 'fenced'; readonly fence: Fence }
  | { readonly type: 'answer'; readonly id: string; readonly output: unknown }
  | { readonly type: 'refusal'; readonly id: string; readonly code: string; readonly message: string }
  /** A bound was met: the thread has no metrics. */
  | { readonly type: 'bound'; readonly bound: BoundName }
  | { readonly type: 'logged-out'; readonly unlinked: boolean }
  | { readonly type: 'stopped' };
