import type { OnBound } from '../contract/bounds.js';
import { HoldlineError } from '../contract/errors.js';
import type { Intent } from '../contract/intent.js';
import {
  composeStatus,
  type Fence,
  type RunFacts,
  type StateChange,
  type Status,
} from '../contract/status.js';
import { pause } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';
import type { Redis } from '../platform/redis/connection.js';
import { redisRetryMs, retryUntilSuccess } from '../platform/retry.js';
import { trimEvents } from '../platform/store/event-writer.js';
import { inspectSession } from '../platform/store/session-inspection.js';
import {
  type Claim,
  claimRun,
  endRun,
  holdsLock,
  markWiped,
  publishStatus,
} from '../platform/store/state-store.js';
import type { Lease } from './lease.js';

/** The job is another's: nothing may be written. */
export class RunLostError extends HoldlineError {
  constructor(message: string) {
    super('run_lost', message);
  }
}

interface PublisherOptions {
  readonly redis: Redis;
  readonly lease: Lease;
  readonly session: string;
  readonly token: string;
  readonly startId: string;
  readonly heartbeatTtlMs: number;
  readonly facts: Omit<RunFacts, 'session' | 'epoch' | 'incarnation' | 'restarts'>;
  /** The run goes on under another epoch. */
  readonly onEpoch: () => void;
  readonly onBound: OnBound;
  readonly log: Logger;
}

/**
 * Everything that a supervisor writes of a run's state. Holds the fence and moves it: each write bumps the
 * incarnation, so that an older thread's late write is refused from then on.
 */
export class RunPublisher {
  restarts = 0;
  readonly #options: PublisherOptions;
  #fence: Fence = { epoch: 0, incarnation: 0 };

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  get fence(): Fence {
    return this.#fence;
  }

  get facts(): RunFacts {
    return {
      ...this.#options.facts,
      session: this.#options.session,
      ...this.#fence,
      restarts: this.restarts,
    };
  }

  /**
   * Becomes the session's only writer, under an epoch above the one given and above any that Redis knows. Throws
   * {@link RunLostError} when the lock is not this run's.
   */
  async claim(above: number): Promise<Exclude<Claim, { type: 'not-ours' }>> {
    const { redis, session, token, startId } = this.#options;
    // First, for it frees memory: a Redis that has none refuses the claim.
    await this.#retryUntilSuccess(() => trimEvents(redis, session));
    // Whatever stands in the way of the claim and of what comes after it; another run's keys are its own to look after.
    await this.#retryUntilSuccess(async () => {
      if (await holdsLock(redis, session, token)) await inspectSession(redis, session);
    });
    const claim = await this.#retryUntilSuccess(() => claimRun(redis, session, token, startId, above));
    if (claim.type === 'not-ours') throw new RunLostError('the lock is held by another run');
    if (claim.type === 'claimed') {
      this.#fence = { epoch: claim.epoch, incarnation: 0 };
      this.#options.onEpoch();
    }
    return claim;
  }

  /**
   * After a refused write or heartbeat: if the lease still holds, Redis lost the fence (a failover to a lagging
   * replica), and the run claims it again; otherwise it is lost.
   */
  async reclaim(): Promise<void> {
    const { lease } = this.#options;
    while (!(await lease.renewNow())) {
      if (lease.lost.aborted) throw new RunLostError('the session belongs to another run');
      // Redis did not say whose it is.
      await pause(redisRetryMs, lease.lost);
    }
    const claim = await this.claim(this.#fence.epoch);
    if (claim.type !== 'claimed') throw new RunLostError('the run was ended');
    this.#options.log.warn(
      { epoch: claim.epoch },
      'redis lost the fence or the state; claimed the session again',
    );
  }

  /** `endsAccount`: with it ends in Redis what was the account's. */
  publish(change: StateChange, endsAccount = false): Promise<void> {
    return this.#write(change, (expected, status) =>
      publishStatus(this.#options.redis, {
        session: this.#options.session,
        expected,
        status,
        endsAccount,
        heartbeatTtlMs: this.#options.heartbeatTtlMs,
        onBound: this.#options.onBound,
      }),
    );
  }

  /** Publishes the run's last state. */
  end(change: StateChange, intent: Intent | null, unlinked: boolean): Promise<void> {
    const { redis, session, startId, onBound } = this.#options;
    return this.#write(change, (expected, status) =>
      endRun(redis, { session, expected, status, startId, intent, unlinked, onBound }),
    );
  }

  /** Voids every copy of the credentials, before this machine's one is deleted. */
  async markWiped(): Promise<number> {
    const { redis, session } = this.#options;
    for (;;) {
      const wiped = await this.#retryUntilSuccess(() => markWiped(redis, session, this.#fence.epoch));
      if (wiped !== null) return wiped;
      await this.reclaim();
    }
  }

  async #write(
    change: StateChange,
    write: (expected: Fence, status: Status) => Promise<boolean>,
  ): Promise<void> {
    for (;;) {
      const expected = this.#fence;
      const next = { epoch: expected.epoch, incarnation: expected.incarnation + 1 };
      const status = composeStatus({ ...this.facts, ...next }, change, new Date().toISOString());
      // Of an interrupted write nobody knows whether it happened: the fence tells.
      const isWritten = await this.#retryUntilSuccess(() => write(expected, status));
      if (isWritten) {
        this.#fence = next;
        return;
      }
      await this.reclaim();
    }
  }

  /** Tries again for as long as the lease holds: Redis may refuse (no memory, read-only) and recover. */
  async #retryUntilSuccess<T>(operation: () => Promise<T>): Promise<T> {
    const { log } = this.#options;
    const { lost } = this.#options.lease;
    try {
      const sentence = 'redis refused a step of the run; trying again';
      return await retryUntilSuccess(operation, { signal: lost, log, sentence });
    } catch {
      throw new RunLostError(String(lost.reason));
    }
  }
}
