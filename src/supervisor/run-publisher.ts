import type { OnBound } from '../contract/bounds.js';
import { HoldlineError } from '../contract/errors.js';
import type { Intent, LogoutResult } from '../contract/intent.js';
import type { SessionRecord } from '../contract/session-record.js';
import {
  type Account,
  composeStatus,
  type Fence,
  type RunFacts,
  type SessionState,
  type Status,
} from '../contract/status.js';
import { pause, withDeadline } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';
import type { Redis } from '../platform/redis/connection.js';
import { redisRetryMs, retryUntilSuccess } from '../platform/retry.js';
import { trimEvents } from '../platform/store/event-writer.js';
import { type Claim, claimRun, holdsLock, stepDown } from '../platform/store/run-store.js';
import { registerIfMissing } from '../platform/store/session-register.js';
import { endRun, publishStatus, type StatusWrite } from '../platform/store/state-store.js';
import { quarantineUnusableKeys } from '../platform/store/unusable-keys.js';
import { markWiped } from '../platform/store/wipe-store.js';
import type { Lease } from './lease.js';

/** The job belongs to another run: this one must not write any more. */
export class RunLostError extends HoldlineError {
  constructor(message: string) {
    super('run_lost', message);
  }
}

/** What a write of the state does besides. */
type PublishEffects = Pick<StatusWrite, 'deletesAccountData' | 'loginLost'>;

interface PublisherOptions {
  readonly redis: Redis;
  readonly lease: Lease;
  readonly session: string;
  readonly token: string;
  readonly startId: string;
  readonly record: () => SessionRecord;
  readonly heartbeatTtlMs: number;
  readonly facts: Omit<RunFacts, 'session' | 'epoch' | 'incarnation' | 'restarts'>;
  /** The run has a new epoch. */
  readonly onEpoch: () => void;
  readonly onBound: OnBound;
  readonly log: Logger;
}

/**
 * Writes a run's state for its supervisor. Holds the fence and moves it: each write increments the incarnation, so that
 * Redis refuses any later write of an older thread.
 */
export class RunPublisher {
  /** These are published with the next state. */
  restarts = 0;
  lastError: string | null = null;
  account: Account | null = null;
  /** WhatsApp asked for a passkey, and no incarnation has gone on since. */
  wasPasskeyAsked = false;
  readonly #options: PublisherOptions;
  #fence: Fence = { epoch: 0, incarnation: 0 };
  /** null: before the claim. */
  #loggedState: SessionState | null = null;

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
   * Makes this run the session's only writer, under an epoch above `aboveEpoch` and above any that Redis knows. Throws
   * {@link RunLostError} when the lock is not this run's.
   */
  async claim(aboveEpoch: number): Promise<Exclude<Claim, { type: 'not-ours' }>> {
    const { redis, session, token, startId } = this.#options;
    // First, because it frees memory: a Redis without free memory refuses the claim.
    await this.#retry(() => trimEvents(redis, session));
    // Unusable keys would block the claim. Quarantines them only under our lock: another run does that itself.
    await this.#retry(async () => {
      if (await holdsLock(redis, session, token)) await quarantineUnusableKeys(redis, session);
    });
    const claim = await this.#retry(() => claimRun(redis, session, token, startId, aboveEpoch));
    if (claim.type === 'not-ours') throw new RunLostError('the lock is held by another run');
    if (claim.type === 'claimed') {
      this.#fence = { epoch: claim.epoch, incarnation: 0 };
      this.#loggedState ??= claim.previous?.state ?? 'stopped';
      this.wasPasskeyAsked ||= claim.previous?.state === 'passkey_required';
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
      // Redis did not say who holds the lock.
      await pause(redisRetryMs, lease.lost);
    }
    const claim = await this.claim(this.#fence.epoch);
    if (claim.type !== 'claimed') throw new RunLostError('the run was ended');
    const { redis, session, record } = this.#options;
    await this.#retry(() => registerIfMissing(redis, session, record()));
    this.#options.log.warn(
      { epoch: claim.epoch },
      'Redis lost data of the running session; wrote them again',
    );
  }

  async publish(state: SessionState, effects: PublishEffects = {}): Promise<void> {
    const { redis, session, heartbeatTtlMs, onBound } = this.#options;
    await this.#write(state, (expected, status) =>
      publishStatus(redis, { session, expected, status, heartbeatTtlMs, onBound, ...effects }),
    );
    this.logState(state);
  }

  /** Publishes the run's last state. `result`: of a logout. */
  async end(state: SessionState, intent: Intent | null, result: LogoutResult | null = null): Promise<void> {
    const { redis, session, startId, onBound } = this.#options;
    await this.#write(state, (expected, status) =>
      endRun(redis, { session, expected, status, startId, intent, ...result, onBound }),
    );
    this.logState(state, intent?.kind);
  }

  /** The thread has published this state. */
  onState(state: SessionState, account: Account | null): void {
    if (state === 'qr' || state === 'authenticated' || state === 'ready') this.lastError = null;
    if (state === 'ready') this.account = account;
    this.wasPasskeyAsked = state === 'passkey_required';
    this.logState(state);
  }

  /** Logs a published state in one line if it differs from the one before, whether this or the thread wrote it. */
  logState(state: SessionState, reason: string | null = state === 'starting' ? null : this.lastError): void {
    const from = this.#loggedState;
    this.#loggedState = state;
    if (state === from) return;
    const facts = { from, to: state, ...(reason === null ? {} : { reason }), ...this.#fence };
    this.#options.log.info(facts, 'session state changed');
  }

  /** Removes the heartbeat of a run that stops here. If Redis does not answer in time, the heartbeat expires by itself. */
  async stepDown(): Promise<void> {
    const { redis, session } = this.#options;
    const steppedDown = stepDown(redis, session, this.#fence.epoch);
    await withDeadline(steppedDown, 1_000, 'Redis').catch(() => undefined);
  }

  /**
   * Voids every copy of the login, on this and any other host, before the profile here is deleted. Resolves to the epoch
   * that voids them.
   */
  async markWiped(): Promise<number> {
    const { redis, session } = this.#options;
    for (;;) {
      const wipedEpoch = await this.#retry(() => markWiped(redis, session, this.#fence.epoch));
      if (wipedEpoch !== null) {
        this.account = null;
        return wipedEpoch;
      }
      await this.reclaim();
    }
  }

  async #write(
    state: SessionState,
    write: (expected: Fence, status: Status) => Promise<boolean>,
  ): Promise<void> {
    const change = { state, lastError: this.lastError, account: this.account };
    for (;;) {
      const expected = this.#fence;
      const next = { epoch: expected.epoch, incarnation: expected.incarnation + 1 };
      const status = composeStatus({ ...this.facts, ...next }, change, new Date().toISOString());
      // It is unknown whether an interrupted write took effect. If it did, the fence refuses the next attempt.
      const isWritten = await this.#retry(() => write(expected, status));
      if (isWritten) {
        this.#fence = next;
        return;
      }
      await this.reclaim();
    }
  }

  /** Retries while the lease holds: Redis may refuse (no memory, read-only) and recover. Throws {@link RunLostError}. */
  async #retry<T>(operation: () => Promise<T>): Promise<T> {
    const { log } = this.#options;
    const { lost } = this.#options.lease;
    try {
      const sentence = 'Redis refused a step of the run; trying again';
      return await retryUntilSuccess(operation, { signal: lost, log, sentence });
    } catch {
      throw new RunLostError(String(lost.reason));
    }
  }
}
