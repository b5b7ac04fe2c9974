import type { Intent } from '../contract/intent.js';
import type { Timing } from '../contract/timing.js';
import type { Redis } from '../platform/redis/connection.js';
import { onSharedInterval } from '../platform/shared-interval.js';
import { renewHeartbeat } from '../platform/store/run-store.js';
import { quarantineUnusableKeys } from '../platform/store/unusable-keys.js';

/** Number of beats from one inspection of the session's keys to the next. */
const beatsBetweenInspections = 15;

interface HeartbeatOptions {
  readonly redis: Redis;
  readonly session: string;
  readonly token: string;
  readonly timing: Pick<Timing, 'heartbeatIntervalMs' | 'heartbeatTtlMs'>;
  readonly epoch: () => number;
  /** An intent to end the run is stored. Called with every beat until the intent is gone. */
  readonly onIntent: (intent: Intent) => void;
  /** The session's keys were inspected, as from time to time. */
  readonly onInspection: () => void;
  /** Redis has lost the run's state, or it cannot be read. */
  readonly onStateLost: () => void;
  /** Lock or fence in Redis belong to another run. */
  readonly onNotOurs: () => void;
}

/**
 * Sends a run's heartbeat. The reply to each beat holds the intent to end the run, if any, and whether Redis still has the
 * run's state. From time to time a beat also quarantines unusable keys of the session.
 */
export class HeartbeatSender {
  readonly #options: HeartbeatOptions;
  #stopBeating: (() => void) | null = null;
  #beating: Promise<void> | null = null;
  #beats = 0;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  start(): void {
    this.#stopBeating = onSharedInterval(this.#options.timing.heartbeatIntervalMs, () => void this.beat());
    void this.beat();
  }

  /** Sends no more beats. Call it before the run's last write: a beat after that would bring the heartbeat back. */
  stop(): void {
    this.#stopBeating?.();
    this.#stopBeating = null;
  }

  /** Beats now, or joins the beat that Redis has not answered yet. Never rejects: the lease notices an outage. */
  async beat(): Promise<void> {
    if (this.#stopBeating === null) return;
    this.#beating ??= this.#beat()
      .catch(() => {})
      .finally(() => {
        this.#beating = null;
      });
    await this.#beating;
  }

  async #beat(): Promise<void> {
    const { redis, session, token, timing, epoch } = this.#options;
    const asked = epoch();
    const mine = { session, token, epoch: asked, ttlMs: timing.heartbeatTtlMs };
    const { isOurs, intent, isStateLost, isAnyUnreadable, isEnded } = await renewHeartbeat(redis, mine);
    if (this.#stopBeating === null || epoch() !== asked) return;
    // Another process wrote `ended` over the heartbeat, but this run continues.
    if (isEnded) return void (await renewHeartbeat(redis, { ...mine, revives: true }));
    if (!isOurs) return this.#options.onNotOurs();
    if (intent) this.#options.onIntent(intent);
    if (isAnyUnreadable || ++this.#beats % beatsBetweenInspections === 0) {
      // If it fails, the next inspection does its work. It must precede `onStateLost`, which overwrites the unreadable state.
      await quarantineUnusableKeys(redis, session).catch(() => undefined);
      this.#options.onInspection();
    }
    if (isStateLost && !intent && epoch() === asked) this.#options.onStateLost();
  }
}
