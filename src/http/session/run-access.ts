import type { Intent } from '../../contract/intent.js';
import { intentChannel } from '../../contract/keys.js';
import type { Timing } from '../../contract/timing.js';
import type { Logger } from '../../platform/logger.js';
import { clearUnsentMessages } from '../../platform/queues/send-cleanup.js';
import type { Redis } from '../../platform/redis/connection.js';
import { requestEnd } from '../../platform/store/intent-store.js';
import { endRun, type RunEnd } from '../../platform/store/state-store.js';
import { coalesced, createTicker } from '../core/coalesce.js';
import type { OwnFacts } from './effective-status.js';
import type { RunQueue } from './queues.js';
import { viaRedis } from './redis-errors.js';
import { type RunView, viewRun } from './run-view.js';

/** What starting and ending a session reads and writes in Redis. Each failure is an answer of the API. */
export interface RunAccess {
  readonly session: string;
  readonly timing: Pick<Timing, 'authStartWaitMs' | 'commandWaitMs' | 'endWaitMs'>;
  readonly log: Logger;
  /** Aborts when the server closes. */
  readonly closing: AbortSignal;
  view(): Promise<RunView>;
  addStart(): Promise<void>;
  /** Repairs the queue of starts, where no supervisor may be able to take this one. */
  mendStart(): Promise<void>;
  /** False: a supervisor holds the job. */
  removeJob(): Promise<boolean>;
  /** Records the intent, or joins one that covers it, and notifies the owner. */
  requestEnd(intent: Intent): Promise<Intent>;
  /** False: refused, the fence is newer. */
  endRun(end: Omit<RunEnd, 'session'>): Promise<boolean>;
  /** Removes the text of every unsettled send from Redis. */
  clearUnsentMessages(): Promise<void>;
  /** Runs on after the answer. Retries what Redis refuses by itself; a failure is logged; closing the server waits for it. */
  inBackground(work: Promise<void>): void;
  /** Resolves at the next read. All waiting callers of this replica wake together and share one read. */
  untilNextLook(signal?: AbortSignal): Promise<void>;
}

export interface RunAccessParts {
  readonly redis: Redis;
  readonly queue: RunQueue;
  readonly own: OwnFacts;
  readonly timing: RunAccess['timing'];
  readonly log: Logger;
  readonly closing: AbortSignal;
  readonly background: Set<Promise<void>>;
}

const lookIntervals = { fewMs: 10, manyMs: 50, few: 16 };

export function createRunAccess(parts: RunAccessParts): RunAccess {
  const { redis, queue, own, timing, log, closing, background } = parts;
  const { session } = own;
  return {
    session,
    timing,
    log,
    closing,
    view: coalesced(() => viaRedis(() => viewRun(redis, own))),
    addStart: () => queue.add(session),
    mendStart: () => queue.mend(session),
    removeJob: () => queue.remove(session),
    requestEnd: (intent) =>
      viaRedis(async () => {
        const recorded = await requestEnd(redis, session, intent);
        await redis.publish(intentChannel, session);
        return recorded;
      }),
    endRun: (end) => viaRedis(() => endRun(redis, { session, ...end })),
    clearUnsentMessages: () => viaRedis(() => clearUnsentMessages(redis, session)),
    inBackground(work) {
      const settled = work
        .catch((err: unknown) => log.warn({ session, err }, 'work after an answer failed'))
        .finally(() => background.delete(settled));
      background.add(settled);
    },
    untilNextLook: createTicker(lookIntervals),
  };
}
