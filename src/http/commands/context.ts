import type { OnBound } from '../../contract/bounds.js';
import type { InFlightLimit } from '../core/in-flight.js';
import type { RunAccess } from '../session/run-access.js';
import type { CommandQueues } from './command-queues.js';
import type { JobReader } from './job-reader.js';

/** All that commands to one session need. */
export interface CommandContext {
  readonly run: RunAccess;
  readonly queues: CommandQueues;
  readonly jobs: JobReader;
  /** Removes what an earlier send under this id left behind: its record, and its job of that timestamp. */
  forgetSend(id: string, timestamp: number | null): Promise<void>;
  /** How long an accepted message may wait to be sent. */
  readonly sendTtlMs: number;
  /** Limits the questions of one caller in the queue, so that those of others get their turn. */
  readonly readsUnderWay: InFlightLimit;
  readonly onBound: OnBound;
}

/** How a caller waits. */
export interface CommandCall {
  readonly baseUrl: string;
  readonly requestId: string;
  /** Who the caller is to limits. */
  readonly callerName: string;
  /** Longest wait for the outcome. */
  readonly waitMs: number;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}
