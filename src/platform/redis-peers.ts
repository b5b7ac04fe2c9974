import type { Redis } from './redis.js';

/**
 * The connections of this thread to one Redis. What one of them is told concerns all: those that only read or wait would
 * stay with a master that was replaced, for it answers them as ever.
 */
export class RedisPeers {
  readonly #connections = new Set<Redis>();
  #roundAt = Number.NEGATIVE_INFINITY;
  #round: NodeJS.Timeout | undefined;

  add(redis: Redis): void {
    this.#connections.add(redis);
  }

  remove(redis: Redis): void {
    this.#connections.delete(redis);
    if (this.#connections.size > 0) return;
    clearTimeout(this.#round);
    this.#round = undefined;
  }

  /** What Redis refused. */
  hear(error: Error): void {
    if (isElsewhere(error.message)) this.#reconnectSoon();
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
}

/** Between two times that all of them connect anew. */
const roundMs = 1_000;

/**
 * Whether a reply says that the master is elsewhere, or behind a proxy that has connected anew and not logged in. Redis
 * before 7 says it in the middle of what a script failed of; UNBLOCKED is told to those who wait when it becomes a replica.
 */
export function isElsewhere(reply: string): boolean {
  return /(?:^|[ -])(?:READONLY|MASTERDOWN|NOAUTH)\b|^UNBLOCKED\b/.test(reply);
}
