import { messageOf } from '../../contract/errors.js';
import { pause } from '../deadline.js';
import type { Logger } from '../logger.js';
import type { Redis } from './connection.js';
import { refusesRight, userProblem } from './rights.js';

/** Between two times that all of them connect anew. */
const roundMs = 1_000;
/** Between two looks whether a right that was missing has been given. */
const rightsLookMs = 5_000;

/**
 * The connections of this thread to one Redis. What one of them is told concerns all: those that only read or wait would
 * stay with a master that was replaced, for it answers them as ever; and a missing right is told once.
 */
export class RedisPeers {
  readonly #url: string;
  readonly #connections = new Set<Redis>();
  #log: Logger | null = null;
  #roundAt = Number.NEGATIVE_INFINITY;
  #round: NodeJS.Timeout | undefined;
  /** Aborts when none of them is left. */
  #left = new AbortController();
  #isLackingRights = false;
  #hasRefused = false;

  constructor(url: string) {
    this.#url = url;
  }

  /** `log`: of the part that the connection belongs to; the first that is not kept quiet is used for all of them. */
  join(redis: Redis, log: Logger): void {
    if (this.#connections.size === 0) {
      this.#left = new AbortController();
      this.#log = null;
    }
    if (this.#log === null && log.isLevelEnabled('info')) this.#log = log;
    this.#connections.add(redis);
  }

  leave(redis: Redis): void {
    this.#connections.delete(redis);
    if (this.#connections.size > 0) return;
    this.#left.abort();
    clearTimeout(this.#round);
    this.#round = undefined;
  }

  /** What Redis refused. */
  hear(error: Error): void {
    if (isElsewhere(error.message)) this.#reconnectSoon();
    if (!refusesRight(error.message)) return;
    this.#hasRefused = true;
    if (!this.#isLackingRights) void this.#tellUntilGiven(error);
  }

  /** At once, and not again before the pause is over, however often Redis says so. */
  #reconnectSoon(): void {
    if (this.#round !== undefined) return;
    const waitMs = Math.max(0, this.#roundAt + roundMs - performance.now());
    this.#round = setTimeout(() => {
      this.#round = undefined;
      this.#roundAt = performance.now();
      for (const redis of this.#connections) {
        if (redis.status === 'ready' || redis.status === 'connect') redis.disconnect(true);
      }
    }, waitMs);
  }

  /** Somebody took a right away while the product runs: what it was needed for is tried again by whoever needs it. */
  async #tellUntilGiven(error: Error): Promise<void> {
    this.#isLackingRights = true;
    const { signal } = this.#left;
    const look = () => userProblem(this.#url).catch((reason) => messageOf(reason));
    const problem = await look();
    this.#log?.error({ error: messageOf(error) }, problem ?? 'redis refuses a command for want of a right');
    do {
      this.#hasRefused = false;
      await pause(rightsLookMs, signal);
    } while (!signal.aborted && ((await look()) !== null || this.#hasRefused));
    this.#isLackingRights = false;
    if (!signal.aborted) this.#log?.info('redis refuses nothing for want of a right any more');
  }
}

/**
 * Whether a reply says that the master is elsewhere, or behind a proxy that has connected anew and not logged in. Redis
 * before 7 says it in the middle of what a script failed of; UNBLOCKED is told to those who wait when it becomes a replica.
 */
export function isElsewhere(reply: string): boolean {
  return /(?:^|[ -])(?:READONLY|MASTERDOWN|NOAUTH)\b|^UNBLOCKED\b/.test(reply);
}
