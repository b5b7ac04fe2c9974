import type { OnBound } from '../../contract/bounds.js';
import type { Intent } from '../../contract/intent.js';
import { intentChannel } from '../../contract/keys.js';
import type { Timing } from '../../contract/timing.js';
import type { Logger } from '../../platform/logger.js';
import { clearUnsentMessages } from '../../platform/queues/send-cleanup.js';
import type { Redis } from '../../platform/redis/connection.js';
import { requestEnd } from '../../platform/store/intent-store.js';
import { endRun, type RunEnd } from '../../platform/store/state-store.js';
import { coalesced, createTicker } from '../core/coalesce.js';
import { viaRedis } from '../core/redis-errors.js';
import type { ConfiguredSession } from './effective-status.js';
import type { RunQueue } from './run-queue.js';
import { type RunView, readRunView } from './run-view.js';

/** How a replica starts and ends the run of a session: all reads and writes in Redis for that. Each failure is an error of the API. */
export interface RunControl {
  readonly session: string;
  readonly timing: Pick<Timing, 'authStartWaitMs' | 'commandWaitMs' | 'endWaitMs'>;
  readonly log: Logger;
  /** Aborts when the server closes. */
  readonly closing: AbortSignal;
  readView(): Promise<RunView>;
  addStart(): Promise<void>;
  /** Notes whether a start waits. A replica or supervisor of an earlier version leaves an older note. */
  noteStart(): Promise<void>;
  /** Repairs the queue of starts, in case no supervisor can take this session's start. */
  repairStart(): Promise<void>;
  /** Returns false if a supervisor holds the job. */
  removeJob(): Promise<boolean>;
  /** Records the intent, or joins one that covers it, and notifies the owner. */
  requestEnd(intent: Intent): Promise<Intent>;
  /** Returns false if Redis refuses, because the fence is newer. */
  endRun(end: Omit<RunEnd, 'session' | 'onBound'>): Promise<boolean>;
  /** Removes the text of every unsettled send from Redis. */
  clearUnsentMessages(): Promise<void>;
  /** Lets work go on after the answer. Its failure is logged. Closing the server waits for it. */
  inBackground(work: Promise<void>): void;
  /** Resolves when it is time for the next read. All waiting callers of this session wake together and share one read. */
  untilNextRead(signal?: AbortSignal): Promise<void>;
}

export interface RunControlParts {
  readonly redis: Redis;
  readonly queue: RunQueue;
  readonly configured: ConfiguredSession;
  readonly timing: RunControl['timing'];
  readonly log: Logger;
  readonly closing: AbortSignal;
  readonly background: Set<Promise<void>>;
  readonly onBound: OnBound;
}

const readIntervals = { fewMs: 10, manyMs: 50, few: 16 };

export function createRunControl(parts: RunControlParts): RunControl {
  const { redis, queue, configured, timing, log, closing, background, onBound } = parts;
  const { session } = configured;
  return {
    session,
    timing,
    log,
    closing,
    readView: coalesced(() => viaRedis(() => readRunView(redis, configured))),
    addStart: () => queue.add(session),
    noteStart: () => queue.note(session),
    repairStart: () => queue.repair(session),
    removeJob: () => queue.remove(session),
    requestEnd: (intent) =>
      viaRedis(async () => {
        const recorded = await requestEnd(redis, session, intent);
        await redis.publish(intentChannel, session);
        return recorded;
      }),
    endRun: (end) => viaRedis(() => endRun(redis, { session, onBound, ...end })),
    clearUnsentMessages: () => viaRedis(() => clearUnsentMessages(redis, session)),
    inBackground(work) {
      const settled = work
        .catch((err: unknown) => log.warn({ session, err }, 'a background step of a request failed'))
        .finally(() => background.delete(settled));
      background.add(settled);
    },
    untilNextRead: createTicker(readIntervals),
  };
}
