import { exitPolicy, type IncarnationExit } from '../contract/exit-reasons.js';
import { backoffMs, type Timing } from '../contract/timing.js';

type Limits = Pick<
  Timing,
  'backoffBaseMs' | 'backoffMaxMs' | 'healthyAfterMs' | 'restartWindowMs' | 'incompatibleRetryMs'
> & { readonly restartsMax: number };

/** Time and chance, injected so that tests need neither. */
export interface Clock {
  readonly now: () => number;
  readonly random: () => number;
}

export type Decision =
  | { readonly type: 'restart'; readonly delayMs: number; readonly rung: 'thread' | 'browser' }
  | { readonly type: 'end'; readonly state: 'auth_failure' | 'disconnected'; readonly message: string };

const systemClock: Clock = { now: () => performance.now(), random: Math.random };

/**
 * Decides what follows the end of an incarnation. The first failure after health is mended at once; delays grow from
 * failure to failure and start anew once an incarnation was healthy for a while. More than `restartsMax` counted failures within the window end the run:
 * something is broken that restarting does not mend.
 */
export class RestartPolicy {
  readonly #limits: Limits;
  readonly #clock: Clock;
  #failuresInRow = 0;
  #incompatibleInRow = 0;
  #countedAt: number[] = [];

  constructor(limits: Limits, clock: Clock = systemClock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** `healthyMs`: how long the ended incarnation had been in `qr` or `ready`; 0 if never. */
  decide(exit: IncarnationExit, healthyMs: number): Decision {
    const policy = exitPolicy(exit.reason);
    if (policy.endsRun) return { type: 'end', state: 'auth_failure', message: exit.message };
    this.#incompatibleInRow = policy.delay === 'incompatible' ? this.#incompatibleInRow + 1 : 0;
    if (healthyMs >= this.#limits.healthyAfterMs) this.#failuresInRow = 0;

    if (policy.counted && this.#count() > this.#limits.restartsMax) {
      const minutes = this.#limits.restartWindowMs / 60_000;
      return {
        type: 'end',
        state: 'disconnected',
        message: `gave up after ${this.#limits.restartsMax} restarts within ${minutes} min; the last reason: ${exit.message}`,
      };
    }
    switch (policy.delay) {
      case 'none': {
        // At once, but not again and again.
        const attempt = this.#failuresInRow++;
        const delayMs = attempt === 0 ? 0 : this.#jittered(backoffMs(this.#limits, attempt - 1));
        return { type: 'restart', delayMs, rung: policy.restartLevel };
      }
      case 'incompatible':
      case 'backoff': {
        // Believed at the second look: a page that starts slowly, or lacks a script, looks the same.
        if (this.#incompatibleInRow > 1) {
          return { type: 'restart', delayMs: this.#limits.incompatibleRetryMs, rung: policy.restartLevel };
        }
        const attempt = this.#failuresInRow++;
        // Something of ours broke in the middle of a healthy life: nothing says that it will again. An outage is
        // met by many sessions at once, and the first delay keeps them apart.
        const isFirst = policy.counted && attempt === 0 && healthyMs > 0;
        const delayMs = isFirst ? 0 : this.#jittered(backoffMs(this.#limits, attempt));
        // What a new thread did not mend, a new browser may.
        const rung = policy.counted && attempt > 0 ? 'browser' : policy.restartLevel;
        return { type: 'restart', delayMs, rung };
      }
      default:
        return policy.delay satisfies never;
    }
  }

  #count(): number {
    const now = this.#clock.now();
    this.#countedAt = [...this.#countedAt.filter((at) => now - at < this.#limits.restartWindowMs), now];
    return this.#countedAt.length;
  }

  /** Between half and all of `ms`: sessions that failed together must not return together. */
  #jittered(ms: number): number {
    return Math.round(ms * (0.5 + this.#clock.random() / 2));
  }
}
