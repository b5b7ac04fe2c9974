import type { Intent } from '../contract/intent.js';
import type { Timing } from '../contract/timing.js';
import type { Redis } from '../platform/redis/connection.js';
import { inspectSession } from '../platform/store/session-inspection.js';
import { beat } from '../platform/store/state-store.js';

/** In beats: between two looks at what nobody would miss at once. */
const beatsBetweenLooks = 15;

interface HeartOptions {
  readonly redis: Redis;
  readonly session: string;
  readonly token: string;
  readonly timing: Pick<Timing, 'heartbeatIntervalMs' | 'heartbeatTtlMs'>;
  readonly epoch: () => number;
  /** Somebody wants the run to end. Called with every beat for as long as the intent stands. */
  readonly onIntent: (intent: Intent) => void;
  /** Redis has lost the run's state, or nobody can read it. */
  readonly onStateLost: () => void;
  /** Lock or fence in Redis are not of this run. */
  readonly onStranger: () => void;
}

/**
 * A run's heartbeat; with each beat it learns whether somebody wants the run to end, and looks after the session's keys
 * now and then.
 */
export class HeartbeatSender {
  readonly #options: HeartOptions;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | null = null;
  #beats = 0;

  constructor(options: HeartOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => void this.beat(), this.#options.timing.heartbeatIntervalMs);
    void this.beat();
  }

  /** No beat is sent from now on: one after the run's last write would bring its heartbeat back. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Beats now; joins a beat that Redis has not answered yet. Never rejects: the lease notices an outage. */
  async beat(): Promise<void> {
    if (this.#timer === undefined) return;
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
    const { isOurs, intent, isStateLost, isOdd, isEnded } = await beat(redis, mine);
    if (this.#timer === undefined || epoch() !== asked) return;
    // Somebody else wrote that.
    if (isEnded) return void (await beat(redis, { ...mine, revives: true }));
    if (!isOurs) return this.#options.onStranger();
    if (intent) this.#options.onIntent(intent);
    if (isOdd || ++this.#beats % beatsBetweenLooks === 0) {
      // The next look makes up for it. Before the state is written anew: what stood there is kept.
      await inspectSession(redis, session).catch(() => undefined);
    }
    if (isStateLost && !intent && epoch() === asked) this.#options.onStateLost();
  }
}
