import type { OnBound } from '../../contract/bounds.js';
import type { PasskeyCredential } from '../../contract/passkey.js';
import type { InFlightLimit } from '../core/in-flight.js';
import type { RunControl } from '../session/run-control.js';
import type { AcceptTurns } from './accept-turns.js';
import type { CommandQueues } from './command-queues.js';
import type { JobReader } from './job-reader.js';

/** Everything that commands to one session need. */
export interface SessionCommandContext {
  readonly run: RunControl;
  readonly queues: CommandQueues;
  readonly turns: AcceptTurns;
  readonly jobs: JobReader;
  /**
   * Removes what an earlier send with this id left in Redis: its record and its job, unless a newer one with the same id has
   * replaced it.
   */
  forgetSend(id: string, timestamp: number | null): Promise<void>;
  /** Stores an owner's answer for the session worker, for seconds. Returns the token that names it. */
  putPasskeyAnswer(credential: PasskeyCredential): Promise<string>;
  /** How long an accepted message may wait to be sent. */
  readonly sendTtlMs: number;
  /** Limits the reads of one caller in the queue, so that those of others get their turn. */
  readonly readsUnderWay: InFlightLimit;
  readonly onBound: OnBound;
}

/** One call of a command: who calls, and how long the caller waits. */
export interface CommandCall {
  readonly baseUrl: string;
  /** The name of the session that is called. */
  readonly session: string;
  readonly requestId: string;
  /** The name under which limits count the caller. */
  readonly callerName: string;
  /** Longest wait for the outcome. */
  readonly waitMs: number;
  /** Aborts when the caller no longer waits for the answer. */
  readonly signal: AbortSignal;
}
