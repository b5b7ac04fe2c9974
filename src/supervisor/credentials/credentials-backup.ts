import { messageOf } from '../../contract/errors.js';
import type { Timing } from '../../contract/timing.js';
import { makeKeyHint } from '../../platform/credentials-keys.js';
import { pause, unlessAborted } from '../../platform/deadline.js';
import { insist } from '../../platform/insist.js';
import type { Logger } from '../../platform/logger.js';
import type { Redis } from '../../platform/redis/connection.js';
import { publishBackupStatus } from '../../platform/store/credentials-store.js';
import { SnapshotRefusedError } from './errors.js';
import { fingerprintOf } from './login-files.js';
import type { SnapshotStore } from './snapshot-store.js';
import { type LoginSource, takeSnapshot } from './take-snapshot.js';

interface BackupOptions {
  readonly redis: Redis;
  readonly session: string;
  readonly vault: SnapshotStore;
  readonly timing: Pick<
    Timing,
    'loginSettleMs' | 'backupIntervalMs' | 'backupFreezeMs' | 'backupStopMs' | 'backoffMaxMs'
  >;
  readonly epoch: () => number;
  /** null: nothing to back up, the profile is not linked. */
  readonly source: () => LoginSource | null;
  /** The run is lost: nothing may be written any more. */
  readonly lost: AbortSignal;
  readonly log: Logger;
}

/** Of a fresh login, whose `ready` waits for it. */
const urgentAttempts = 5;
const urgentPauseMs = 500;

/**
 * When snapshots of a run's login are taken: as soon as a login is there, when it has settled, then whenever it has
 * changed since the last look, and at the end. Only of a login that works: the incarnation has been `ready`. Whatever
 * fails is said once and tried again; it never ends a run.
 */
export class CredentialsBackup {
  readonly #options: BackupOptions;
  /** Aborts what is under way: the end is near, or the login void. */
  #stopping = new AbortController();
  #watching = new AbortController();
  #work: Promise<void> = Promise.resolve();
  #isArmed = false;
  #isFailing = false;
  #hasTaken = false;
  #told = '';
  #last: { readonly id: string; readonly fingerprint: string | null } | null = null;

  constructor(options: BackupOptions) {
    this.#options = options;
  }

  /** Says at a run's start whether there will be a backup. Rejects only once `over` aborts. */
  async announce(over: AbortSignal): Promise<void> {
    const sentence = 'redis refused to be told whether the login is backed up; trying again';
    const attempt = async () => {
      await this.#reasonToBeOff();
      if (this.#told === '' && !this.#isFailing) throw new Error('it was not taken');
    };
    await insist(attempt, { signal: over, log: this.#options.log, sentence });
  }

  /** The account is `ready`: from now on the login is worth keeping. Resolves when it is not looked after any more. */
  async arm(): Promise<void> {
    if (this.#isArmed) return;
    this.#isArmed = true;
    this.#watching = new AbortController();
    await this.#watch(this.#watching.signal);
  }

  /**
   * The incarnation is over, or the run: until the next is `ready` nobody knows whether the profile still holds a
   * login. Gives up what is under way; resolves to whether the login was worth keeping, when nothing touches it any more.
   */
  async disarm(): Promise<boolean> {
    const wasArmed = this.#isArmed;
    this.#isArmed = false;
    this.#watching.abort();
    this.#stopping.abort('the backup was interrupted');
    await this.#work;
    this.#stopping = new AbortController();
    return wasArmed;
  }

  /** Takes one now, whatever is known of the last; resolves when it stands in Redis, or has failed some times. */
  async takeNow(): Promise<void> {
    const { signal } = this.#stopping;
    for (let attempt = 1; attempt <= urgentAttempts && !signal.aborted; attempt++) {
      await this.#next(() => this.#attempt(signal, true));
      if (!this.#isFailing) return;
      await pause(urgentPauseMs, signal);
    }
  }

  /** The last one of a run, of the profile at rest; bounded, and nothing when nothing has changed. */
  takeLast(forced: AbortSignal): Promise<void> {
    const late = AbortSignal.timeout(this.#options.timing.backupStopMs);
    return this.#next(() => this.#attempt(AbortSignal.any([forced, late]), false));
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { loginSettleMs, backupIntervalMs, backoffMaxMs } = this.#options.timing;
    await pause(loginSettleMs, signal);
    while (!signal.aborted) {
      await this.#next(() => this.#attempt(this.#stopping.signal, false));
      await pause(this.#isFailing ? Math.min(backupIntervalMs, backoffMaxMs) : backupIntervalMs, signal);
    }
  }

  /** One after another. */
  #next(step: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(step);
    return this.#work;
  }

  /** Never rejects. */
  async #attempt(end: AbortSignal, isUrgent: boolean): Promise<void> {
    const { lost, source: findSource, log } = this.#options;
    const signal = AbortSignal.any([end, lost]);
    try {
      const source = findSource();
      if (source === null || signal.aborted) return;
      if ((await unlessAborted(this.#reasonToBeOff(), signal)) !== null) return;
      if (!isUrgent && !(await unlessAborted(this.#hasChanged(source), signal))) return;
      await this.#take(source, signal);
      if (this.#isFailing) log.info('the login is backed up again');
      this.#isFailing = false;
    } catch (error) {
      await this.#onFailure(error, end.aborted && !this.#stopping.signal.aborted);
    }
  }

  async #take(source: LoginSource, signal: AbortSignal): Promise<void> {
    const { vault, epoch, timing, log } = this.#options;
    const since = performance.now();
    const taken = await takeSnapshot(source, vault, epoch(), timing.backupFreezeMs, signal);
    const { header, bytes } = taken.manifest;
    this.#last = { id: header.id, fingerprint: taken.fingerprint };
    const facts = {
      bytes,
      stoodStillMs: Math.round(taken.stoodStillMs),
      tookMs: Math.round(performance.now() - since),
    };
    log[this.#hasTaken ? 'debug' : 'info'](facts, 'login backed up');
    this.#hasTaken = true;
    await this.#tell({ enabled: true, reason: null });
  }

  /** Asks Redis too: it may have lost what stood there. */
  async #hasChanged({ profileDir }: LoginSource): Promise<boolean> {
    const newest = await this.#options.vault.newest();
    const id = newest?.type === 'readable' ? newest.manifest.header.id : null;
    if (this.#last === null || this.#last.id !== id) return true;
    return (await fingerprintOf(profileDir)) !== this.#last.fingerprint;
  }

  /** null: there is none. What another key has sealed is never replaced. */
  async #reasonToBeOff(): Promise<string | null> {
    const { vault, log } = this.#options;
    let reason: string | null = null;
    if (!vault.hasKey) {
      reason = `no key is set: give the supervisors WHATSAPP_CREDENTIALS_KEY (${makeKeyHint})`;
    } else {
      const newest = await vault.newest();
      if (newest?.type === 'unreadable') {
        const { keyId } = newest.manifest.header;
        reason = `the stored backup was sealed with another key (key id ${keyId}): add that key to WHATSAPP_CREDENTIALS_KEY, or POST /api/logout to begin anew`;
      }
    }
    if (reason === null && this.#isFailing) return null;
    const isNew = await this.#tell({ enabled: reason === null, reason });
    if (isNew && reason !== null) log.warn({ reason }, 'the login is not backed up');
    return reason;
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
    await this.#tell({ enabled: true, reason: `the newest attempt failed: ${reason}` });
  }

  /** Writes what `/health` says where it has changed; false where it has not. */
  async #tell(standing: { enabled: boolean; reason: string | null }): Promise<boolean> {
    const { redis, session, epoch, lost } = this.#options;
    const text = JSON.stringify([epoch(), standing]);
    if (text === this.#told) return false;
    this.#told = text;
    await unlessAborted(publishBackupStatus(redis, { session, epoch: epoch() }, standing), lost).catch(() => {
      this.#told = '';
    });
    return true;
  }
}
