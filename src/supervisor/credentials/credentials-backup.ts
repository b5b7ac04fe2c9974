import type { BackupStatus } from '../../contract/credentials.js';
import { messageOf } from '../../contract/errors.js';
import type { Timing } from '../../contract/timing.js';
import { makeKeyHint } from '../../platform/credentials-keys.js';
import { abortAfter, pause, unlessAborted } from '../../platform/deadline.js';
import type { Logger } from '../../platform/logger.js';
import type { Redis } from '../../platform/redis/connection.js';
import { retryUntilSuccess } from '../../platform/retry.js';
import { publishBackupStatus } from '../../platform/store/credentials-store.js';
import { SnapshotRefusedError } from './errors.js';
import { fingerprintOf } from './login-files.js';
import type { SnapshotStore } from './snapshot-store.js';
import { type LoginSource, takeSnapshot } from './take-snapshot.js';

interface BackupOptions {
  readonly redis: Redis;
  readonly session: string;
  readonly snapshots: SnapshotStore;
  readonly timing: Pick<
    Timing,
    'loginSettleMs' | 'backupIntervalMs' | 'backupFreezeMs' | 'backupStopMs' | 'backoffMaxMs'
  >;
  readonly epoch: () => number;
  /** null: the profile is not linked, so there is nothing to back up. */
  readonly source: () => LoginSource | null;
  /** Aborts when the run is lost: nothing may be written from then on. */
  readonly lost: AbortSignal;
  readonly log: Logger;
}

/** Max attempts at the first snapshot of a fresh login. `ready` waits for it. */
const urgentAttempts = 5;
const urgentPauseMs = 500;

/**
 * Backs up a run's login by snapshots: when a fresh login appears, when it has settled, then at each interval in which it has
 * changed, and at the end of the run. Backs up only a login that works: the incarnation has been `ready`. A failure is
 * logged once and retried. It never ends a run.
 */
export class CredentialsBackup {
  readonly #options: BackupOptions;
  /** Aborts the attempt under way when the incarnation ends: the login may be void then. */
  #stopping = new AbortController();
  #watching = new AbortController();
  #lastStep: Promise<void> = Promise.resolve();
  #isStarted = false;
  #isFailing = false;
  #hasTaken = false;
  #obstacle: string | null = null;
  /** The obstacle that was logged last. */
  #warnedOf: string | null = null;
  /** The status that was written last, with its epoch, as JSON. Empty: it is not known that one was written. */
  #published = '';
  #last: { readonly id: string; readonly fingerprint: string | null } | null = null;

  constructor(options: BackupOptions) {
    this.#options = options;
  }

  /** Call it at the start of a run. Publishes whether its login will be backed up. Rejects only when `over` aborts. */
  async publishInitialStatus(over: AbortSignal): Promise<void> {
    const sentence = 'Redis refused the backup status; trying again';
    const attempt = async () => {
      await this.#findObstacle();
      if (this.#published === '' && !this.#isFailing) throw new Error('it was not written');
    };
    await retryUntilSuccess(attempt, { signal: over, log: this.#options.log, sentence });
  }

  /** Starts regular snapshots. Call it when the account is `ready`: its login works. Resolves when they have stopped. */
  async start(): Promise<void> {
    if (this.#isStarted) return;
    this.#isStarted = true;
    if (this.#obstacle !== null) this.#warnOnceOf(this.#obstacle);
    this.#watching = new AbortController();
    await this.#watch(this.#watching.signal);
  }

  /**
   * Stops regular snapshots and aborts the one under way. Call it when the incarnation or the run is over: until the next
   * `ready` it is not known whether the profile still holds a login. Resolves when nothing uses the profile any more, to
   * whether regular snapshots had been started.
   */
  async stop(): Promise<boolean> {
    const wasStarted = this.#isStarted;
    this.#isStarted = false;
    this.#watching.abort();
    this.#stopping.abort('the backup was interrupted');
    await this.#lastStep;
    this.#stopping = new AbortController();
    return wasStarted;
  }

  /** Takes a snapshot now, even of an unchanged login. Resolves when it is in Redis, or when {@link urgentAttempts} have failed. */
  async backUpNow(): Promise<void> {
    const { signal } = this.#stopping;
    for (let attempt = 1; attempt <= urgentAttempts && !signal.aborted; attempt++) {
      await this.#enqueue(() => this.#attempt(signal, true));
      if (!this.#isFailing) return;
      await pause(urgentPauseMs, signal);
    }
  }

  /** Takes the last snapshot of a run if the login has changed. The browser must have ended. Takes at most `backupStopMs`. */
  backUpAtEnd(forced: AbortSignal): Promise<void> {
    const { signal, clear } = abortAfter(this.#options.timing.backupStopMs, forced);
    return this.#enqueue(() => this.#attempt(signal, false)).finally(clear);
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { loginSettleMs, backupIntervalMs, backoffMaxMs } = this.#options.timing;
    await pause(loginSettleMs, signal);
    while (!signal.aborted) {
      await this.#enqueue(() => this.#attempt(this.#stopping.signal, false));
      await pause(this.#isFailing ? Math.min(backupIntervalMs, backoffMaxMs) : backupIntervalMs, signal);
    }
  }

  /** Runs steps one after another. */
  #enqueue(step: () => Promise<void>): Promise<void> {
    this.#lastStep = this.#lastStep.then(step);
    return this.#lastStep;
  }

  /** Never rejects. */
  async #attempt(end: AbortSignal, isUrgent: boolean): Promise<void> {
    const { lost, log } = this.#options;
    const signal = AbortSignal.any([end, lost]);
    try {
      const source = this.#options.source();
      if (source === null || signal.aborted) return;
      const obstacle = await unlessAborted(this.#findObstacle(), signal);
      if (obstacle !== null) return this.#warnOnceOf(obstacle);
      if (!isUrgent && !(await unlessAborted(this.#hasChanged(source), signal))) return;
      await this.#take(source, signal);
      if (this.#isFailing) log.info('the login is backed up again');
      this.#isFailing = false;
    } catch (error) {
      await this.#onFailure(error, end.aborted && !this.#stopping.signal.aborted);
    }
  }

  async #take(source: LoginSource, signal: AbortSignal): Promise<void> {
    const { snapshots, epoch, timing, log } = this.#options;
    const since = performance.now();
    const taken = await takeSnapshot(source, snapshots, epoch(), timing.backupFreezeMs, signal);
    const { header, bytes } = taken.manifest;
    this.#last = { id: header.id, fingerprint: taken.fingerprint };
    const facts = {
      bytes,
      stoodStillMs: Math.round(taken.frozenMs),
      tookMs: Math.round(performance.now() - since),
    };
    log[this.#hasTaken ? 'debug' : 'info'](facts, 'login backed up');
    this.#hasTaken = true;
    await this.#publish({ enabled: true, reason: null });
  }

  /** Also true if Redis has lost the last snapshot. */
  async #hasChanged({ profileDir }: LoginSource): Promise<boolean> {
    const newest = await this.#options.snapshots.newest();
    const id = newest?.type === 'readable' ? newest.manifest.header.id : null;
    if (this.#last === null || this.#last.id !== id) return true;
    return (await fingerprintOf(profileDir)) !== this.#last.fingerprint;
  }

  /**
   * Finds and publishes why no snapshot may be taken. null: one may be taken. A snapshot that was encrypted with another key is
   * never replaced.
   */
  async #findObstacle(): Promise<string | null> {
    const { snapshots } = this.#options;
    let reason: string | null = null;
    if (!snapshots.hasKey) {
      reason = `no key is set: give the supervisors WHATSAPP_CREDENTIALS_KEY (${makeKeyHint})`;
    } else {
      const newest = await snapshots.newest();
      if (newest?.type === 'unreadable') {
        const { keyId } = newest.manifest.header;
        reason = `the stored backup was encrypted with another key (key id ${keyId}): add that key to WHATSAPP_CREDENTIALS_KEY, or POST /api/logout to begin anew`;
      }
    }
    if (reason === null && this.#isFailing) return null;
    this.#obstacle = reason;
    await this.#publish({ enabled: reason === null, reason });
    return reason;
  }

  /** Only when there is a login: before, nothing could be lost. */
  #warnOnceOf(reason: string): void {
    const sentence = 'the login is not backed up: if its directory is lost, the phone must scan a new code';
    if (reason !== this.#warnedOf) this.#options.log.warn({ reason }, sentence);
    this.#warnedOf = reason;
  }

  async #onFailure(error: unknown, isLate: boolean): Promise<void> {
    const { lost, log } = this.#options;
    if (lost.aborted || error instanceof SnapshotRefusedError) {
      return log.debug({ reason: messageOf(error) }, 'login not backed up');
    }
    if (this.#stopping.signal.aborted) return;
    const reason = isLate ? 'it took too long at the end of the run' : messageOf(error);
    if (!this.#isFailing) log.error({ reason }, 'the login could not be backed up; trying again');
    this.#isFailing = true;
    await this.#publish({ enabled: true, reason: `the newest attempt failed: ${reason}` });
  }

  /** Writes the status that `/health` shows, if it has changed. */
  async #publish(status: BackupStatus): Promise<void> {
    const { redis, session, epoch, lost } = this.#options;
    const text = JSON.stringify([epoch(), status]);
    if (text === this.#published) return;
    this.#published = text;
    await unlessAborted(publishBackupStatus(redis, { session, epoch: epoch() }, status), lost).catch(() => {
      this.#published = '';
    });
  }
}
