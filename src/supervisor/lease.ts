import { setMaxListeners } from 'node:events';
import type { Timing } from '../contract/timing.js';
import type { Logger } from '../platform/logger.js';
import { LoopDelay } from '../platform/loop-delay.js';
import { notifyEach } from '../platform/notify-each.js';
import { onSharedInterval } from '../platform/shared-interval.js';

type LeaseTiming = Pick<Timing, 'renewIntervalMs' | 'giveUpMs'>;

interface LeaseOptions {
  readonly timing: LeaseTiming;
  /** Renews the lock under this run's token; false: another run has the lock. May hang while Redis is away. */
  readonly renew: () => Promise<boolean>;
  readonly log: Logger;
}

/**
 * Holds the lock of one run's job from its construction on. BullMQ's own renewal is off: it counts by the wall clock and by
 * job id, so a second run in the same process would inherit it or lose it.
 *
 * Guaranteed: `lost` aborts at most `giveUpMs` (plus one check) after the last renewal that Redis granted was *sent*, by the
 * monotonic clock. This does not depend on Redis. Not guaranteed: that anything happens while the event loop is blocked or the
 * process is frozen. The browser's watchdog covers that.
 */
export class Lease {
  /** Called after each renewal that Redis granted. */
  readonly renewed = new Set<() => void>();
  readonly #options: LeaseOptions;
  readonly #lost = new AbortController();
  readonly #stopRenewing: () => void;
  readonly #stopChecking: () => void;
  /** The delays of the event loop since the last renewal. */
  readonly #loop: LoopDelay;
  #grantedAt = performance.now();

  constructor(options: LeaseOptions) {
    this.#options = options;
    // Each step of a run that waits adds one.
    setMaxListeners(0, this.#lost.signal);
    // Never rejects: after a renewal that Redis refuses the next one succeeds, or the lease is lost.
    this.#stopRenewing = onSharedInterval(options.timing.renewIntervalMs, () => void this.renewNow());
    const checkIntervalMs = Math.min(200, options.timing.giveUpMs / 10);
    this.#loop = new LoopDelay(checkIntervalMs);
    this.#stopChecking = onSharedInterval(checkIntervalMs, () => {
      this.#loop.tick();
      this.#checkDeadline();
    });
    void this.renewNow();
  }

  /** Aborts when the lease is lost; its `reason` is a sentence. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /**
   * Checks the deadline now: a process that was frozen handles I/O before its timers, so that `lost` may not have aborted yet
   * although the deadline has passed.
   */
  get isHeld(): boolean {
    this.#checkDeadline();
    return !this.#lost.signal.aborted;
  }

  /** Time since the last renewal that Redis granted was sent. */
  get ageMs(): number {
    return performance.now() - this.#grantedAt;
  }

  /** Renews now; false: another run has the lock, Redis did not answer, or the lease is lost. Never rejects. */
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

  /** Gives the lease up as lost, because the session belongs to another run. */
  forfeit(why: string): void {
    this.#lose(why);
  }

  /** Stops renewing. The lock expires, or was released. Does not abort `lost`. */
  stop(): void {
    this.#stopRenewing();
    this.#stopChecking();
  }

  #checkDeadline(): void {
    const { giveUpMs } = this.#options.timing;
    if (this.ageMs > giveUpMs) {
      // Names a blocked event loop as the cause. Without that it would look like a fault of Redis.
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
