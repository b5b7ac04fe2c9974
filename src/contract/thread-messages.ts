import type { BoundName } from './bounds.js';
import type { IncarnationExit } from './exit-reasons.js';
import type { LogoutResult } from './intent.js';
import type { PasskeyOutcome } from './passkey.js';
import type { Ignore } from './session-record.js';
import type { Account, Fence, RunFacts, SessionState } from './status.js';
import type { CommandName } from './worker-commands.js';

/**
 * The messages between supervisor and session worker over the worker's MessagePort. They are plain data:
 * `postMessage(error)` would drop every custom field.
 */

/**
 * The page's localStorage, read while the account was linked. It is a secret. Chromium writes it to disk some seconds late, and
 * without it the login is lost. So it is kept beside the profile until then.
 */
export type LoginStorage = Readonly<Record<string, string>>;

type Port = InstanceType<typeof MessagePort>;

/** All that a thread needs to begin an incarnation, except the browser. */
export interface ThreadData {
  /** `epoch` and `incarnation` are the fence of the thread's writes. */
  readonly run: RunFacts;
  /** Kept in the status until `qr` or `authenticated`. */
  readonly lastError: string | null;
  readonly account: Account | null;
  /** Before this incarnation WhatsApp asked for a passkey: that request is lost. */
  readonly wasPasskeyAsked: boolean;
  /** Passkeys can be given here. */
  readonly relaysPasskey: boolean;
  /** The profile was linked: if WhatsApp then asks for a scan, the login is void. */
  readonly isLinked: boolean;
  /** The storage of a login that did not reach the disk. It is restored into the page before the page loads. */
  readonly loginStorage: LoginStorage | null;
  /** Whose messages are not told as events. */
  readonly ignore: Ignore;
  /** Carries what it asks of Redis; see platform/redis/remote-connection.ts. */
  readonly redis: Port;
  readonly webVersion: string | null;
  /** What the phone lists under Linked devices. */
  readonly deviceName: string;
  readonly logLevel: string;
  readonly timing: SessionWorkerTiming;
}

export interface SessionWorkerTiming {
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
  readonly passkeyAskMs: number;
  readonly passkeyStepMs: number;
  readonly logoutDeadlineMs: number;
  readonly keepLoginMs: number;
}

export type ToThread =
  /** The first message: the thread, which has loaded its modules, becomes this incarnation. */
  | { readonly type: 'begin'; readonly data: ThreadData }
  /** The browser is up: attach to it and log in. The port carries its DevTools protocol, one message at a time. */
  | { readonly type: 'attach'; readonly browser: Port }
  /** Redis has lost the fence; this run still holds the lock. Write the full state again under this fence. */
  | { readonly type: 'fence'; readonly fence: Fence }
  /** Carry out a command; exactly one `answer` or `refusal` with the same id follows. */
  | {
      readonly type: 'command';
      readonly id: string;
      /** Of the HTTP requests that caused it. */
      readonly requestIds: readonly string[];
      readonly operation: CommandName;
      readonly input: unknown;
    }
  /** The login that the thread reported is saved: it survives this browser. */
  | { readonly type: 'login-kept' }
  | { readonly type: 'logout' }
  | { readonly type: 'stop' };

export type FromThread =
  /** Sign of life: the thread's event loop runs. */
  | { readonly type: 'alive' }
  | { readonly type: 'state'; readonly state: SessionState; readonly account: Account | null }
  /** A fresh login that is not on disk yet. `account` set: the page has synced, and the thread waits for `login-kept` before `ready`. */
  | { readonly type: 'login'; readonly storage: LoginStorage; readonly account: Account | null }
  /** The incarnation is over; the thread waits to be terminated. */
  | ({ readonly type: 'failed' } & IncarnationExit)
  /** A state write under this fence was refused: Redis holds another fence. */
  | { readonly type: 'fenced'; readonly fence: Fence }
  | { readonly type: 'answer'; readonly id: string; readonly output: unknown }
  | { readonly type: 'refusal'; readonly id: string; readonly code: string; readonly message: string }
  /** A bound was reached; the supervisor counts it, because the thread has no metrics. */
  | { readonly type: 'bound'; readonly bound: BoundName }
  /** WhatsApp's request for a passkey has ended. `answeredMs`: until the owner's answer; null: there was none. */
  | { readonly type: 'passkey'; readonly outcome: PasskeyOutcome; readonly answeredMs: number | null }
  | { readonly type: 'logged-out'; readonly result: LogoutResult }
  | { readonly type: 'stopped' };
