import type { Timing } from '../contract/timing.js';
import type { Logger } from '../platform/logger.js';
import { LoopDelay } from '../platform/loop-delay.js';
import { notifyEach } from '../platform/notify-each.js';

type LeaseTiming = Pick<Timing, 'renewIntervalMs' | 'giveUpMs'>;

interface LeaseOptions {
  readonly timing: LeaseTiming;
  /** Renews the lock under this run's token; false: the lock is another's. May hang while Redis is away. */
  readonly renew: () => Promise<boolean>;
  readonly log: Logger;
}

/**
 * One run's hold on its job's lock, from the moment the run is constructed. BullMQ's own renewal is off: it
 * counts by the wall clock and by job id, so a second run in the same process inherits or loses it.
 *
 * Guarantees: `lost` aborts at the latest `giveUpMs` (plus one check) after the last renewal that Redis granted
 * was *sent*, by the monotonic clock, whatever Redis does. Not guaranteed: that anything happens in a process
 * whose event loop stands still; that is the browser guard's part.
 */
export class Lease {
  /** Called after each renewal that Redis granted. */
  readonly renewed = new Set<() => void>();
  readonly #options: LeaseOptions;
  readonly #lost = new AbortController();
  readonly #renewTimer: NodeJS.Timeout;
  readonly #deadlineTimer: NodeJS.Timeout;
  /** Since the last renewal. */
  readonly #loop = new LoopDelay();
  #grantedAt = performance.now();

  constructor(options: LeaseOptions) {
    this.#options = options;
    // None rejects: a renewal that Redis refuses is made up for by the next one, or the lease is lost.
    this.#renewTimer = setInterval(() => void this.renewNow(), options.timing.renewIntervalMs);
    this.#deadlineTimer = setInterval(
      () => this.#checkDeadline(),
      Math.min(200, options.timing.giveUpMs / 10),
    );
    void this.renewNow();
  }

  /** Aborts when the lease is lost; `reason` is the sentence why. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /**
   * Looks at the clock now: a process that was frozen meets its I/O before its timers, so that a deadline may
   * have passed without `lost` having noticed yet.
   */
  get isHeld(): boolean {
    this.#checkDeadline();
    return !this.#lost.signal.aborted;
  }

  /** Age of the last granted renewal. */
  get ageMs(): number {
    return performance.now() - this.#grantedAt;
  }

  /** Asks Redis now; resolves to whether the lock still was ours (false too when the lease is over). */
  async renewNow(): Promise<boolean> {
    if (this.#lost.signal.aborted) return false;
    const sentAt = performance.now();
    try {
      if (!(await this.#options.renew())) {
        this.#lose('the lock is held by another run');
        return false;
      }
    } catch {
      return false;
    }
    this.#grantedAt = Math.max(this.#grantedAt, sentAt);
    this.#checkDeadline();
    if (this.#lost.signal.aborted) return false;
    this.#loop.reset();
    notifyEach(
      this.renewed,
      (listener) => listener(),
      (error) => this.#options.log.error({ err: error }, 'a listener to the renewals of a lease failed'),
    );
    return true;
  }

  /** Gives the lease up as lost: somebody else was seen to run the session. */
  forfeit(why: string): void {
    this.#lose(why);
  }

  /** Stops renewing; the lock lapses or has been given back. Does not count as lost. */
  stop(): void {
    clearInterval(this.#renewTimer);
    clearInterval(this.#deadlineTimer);
    this.#loop.stop();
  }

  #checkDeadline(): void {
    const { giveUpMs } = this.#options.timing;
    if (this.ageMs > giveUpMs) {
      // Else Redis would be looked at for what this process did.
      const stall = this.#loop.explainTimeout(giveUpMs);
      const cause = stall === null ? '' : `: ${stall}`;
      this.#lose(`the lock could not be renewed for ${(this.ageMs / 1_000).toFixed(1)} s${cause}`);
    }
  }

  #lose(why: string): void {
    this.stop();
    this.#lost.abort(why);
  }
}
