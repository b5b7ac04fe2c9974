import { exitPolicy, type IncarnationExit } from '../contract/exit-reasons.js';
import { backoffMs, type Timing } from '../contract/timing.js';
import { counted } from '../platform/counted.js';

type Limits = Pick<
  Timing,
  'backoffBaseMs' | 'backoffMaxMs' | 'healthyAfterMs' | 'restartWindowMs' | 'incompatibleRetryMs'
> & { readonly restartsMax: number };

/** Time and chance, injected so that tests need neither. */
export interface Clock {
  readonly now: () => number;
  readonly random: () => number;
}

export interface Restart {
  readonly type: 'restart';
  readonly delayMs: number;
  /** What is replaced: the thread alone, or the browser too. */
  readonly restartLevel: 'thread' | 'browser';
}

/** The run ends in `state`; `message` becomes `last_error`. */
export interface GiveUp {
  readonly type: 'end';
  readonly state: 'auth_failure' | 'disconnected';
  readonly message: string;
}

const systemClock: Clock = { now: () => performance.now(), random: Math.random };

/**
 * Decides what follows the end of an incarnation, from its reason (src/contract/exit-reasons.ts) and from the earlier
 * failures. The first failure of a healthy incarnation leads to a restart at once. Delays grow with each failure, and start
 * anew once an incarnation was healthy for `healthyAfterMs`. More than `restartsMax` counted failures within
 * `restartWindowMs` end the run: restarts do not help.
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
  decide(exit: IncarnationExit, healthyMs: number): Restart | GiveUp {
    const policy = exitPolicy(exit.reason);
    if (policy.endsRun) return { type: 'end', state: 'auth_failure', message: exit.message };
    this.#incompatibleInRow = policy.delay === 'incompatible' ? this.#incompatibleInRow + 1 : 0;
    if (healthyMs >= this.#limits.healthyAfterMs) this.#failuresInRow = 0;

    if (policy.counted && this.#count() > this.#limits.restartsMax) {
      const minutes = this.#limits.restartWindowMs / 60_000;
      return {
        type: 'end',
        state: 'disconnected',
        message: `gave up after ${counted(this.#limits.restartsMax, 'restart')} within ${minutes} min; the last reason: ${exit.message}`,
      };
    }
    switch (policy.delay) {
      case 'first-at-once': {
        // The first restart comes at once. A repeated failure must not loop without a pause.
        const attempt = this.#failuresInRow++;
        const delayMs = attempt === 0 ? 0 : this.#jittered(backoffMs(this.#limits, attempt - 1));
        return { type: 'restart', delayMs, restartLevel: policy.restartLevel };
      }
      case 'incompatible':
      case 'backoff': {
        // Only the second time in a row counts: a page that starts slowly, or lacks a script, looks the same.
        if (this.#incompatibleInRow > 1) {
          return {
            type: 'restart',
            delayMs: this.#limits.incompatibleRetryMs,
            restartLevel: policy.restartLevel,
          };
        }
        const attempt = this.#failuresInRow++;
        // A part of ours broke after it had worked: it may work again at once. Outages are not counted, so they get the
        // first delay: they hit many sessions together, and the delay keeps those apart.
        const isFirst = policy.counted && attempt === 0 && healthyMs > 0;
        const delayMs = isFirst ? 0 : this.#jittered(backoffMs(this.#limits, attempt));
        // A new thread did not help: try a new browser.
        const restartLevel = policy.counted && attempt > 0 ? 'browser' : policy.restartLevel;
        return { type: 'restart', delayMs, restartLevel };
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
