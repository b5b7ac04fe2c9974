import type { Logger } from '../../platform/logger.js';
import { tellEach } from '../../platform/tell-each.js';
import type { Visit, Visits } from './browser-logins.js';

/**
 * Ends what goes on for long in the name of a login or a QR visit (event streams, waits) when that has ended: by its time,
 * by a sign-out on any replica, with its key or its account. One look at Redis every second for all of them, and none while
 * nothing goes on. While Redis is away only the time that is known ends them.
 */
export class VisitWatch {
  readonly #visits: Pick<Visits, 'look'>;
  readonly #intervalMs: number;
  readonly #log: Logger;
  readonly #standing = new Map<string, Standing>();
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;

  constructor(visits: Pick<Visits, 'look'>, intervalMs: number, log: Logger) {
    this.#visits = visits;
    this.#intervalMs = intervalMs;
    this.#log = log;
  }

  /** `end` is called once, if the visit ends first. Returns the way out. */
  add(visit: Visit, end: () => void): () => void {
    const standing = this.#standing.get(visit.key) ?? { visit, ends: new Set(), until: null };
    standing.ends.add(end);
    this.#standing.set(visit.key, standing);
    this.#timer ??= setInterval(() => void this.look(), this.#intervalMs);
    return () => {
      standing.ends.delete(end);
      if (standing.ends.size === 0) this.#forget(standing);
    };
  }

  /** Never rejects. */
  async look(): Promise<void> {
    this.#endOverdue();
    if (this.#isLooking || this.#standing.size === 0) return;
    this.#isLooking = true;
    const looked = [...this.#standing.values()];
    try {
      const sentAt = performance.now();
      const found = await this.#visits.look(looked.map(({ visit }) => visit));
      for (const [i, { stands, lifeMs }] of found.entries()) {
        const standing = looked[i] as Standing;
        standing.until = sentAt + lifeMs;
        if (!stands) this.#end(standing);
      }
    } catch {
      // Redis is away: the next look tells.
    } finally {
      this.#isLooking = false;
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#standing.clear();
  }

  #endOverdue(): void {
    for (const standing of this.#standing.values()) {
      // Redis tells the moment; a second later there is nothing left to tell.
      if (standing.until !== null && performance.now() > standing.until + this.#intervalMs)
        this.#end(standing);
    }
  }

  #end(standing: Standing): void {
    const ends = [...standing.ends];
    standing.ends.clear();
    this.#forget(standing);
    tellEach(
      ends,
      (end) => end(),
      (error) => this.#log.error({ err: error }, 'what went on for a visit could not be ended'),
    );
  }

  #forget({ visit, ends }: Standing): void {
    if (this.#standing.get(visit.key)?.ends === ends) this.#standing.delete(visit.key);
    if (this.#standing.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

interface Standing {
  readonly visit: Visit;
  readonly ends: Set<() => void>;
  /** By the monotonic clock; null: not known yet. */
  until: number | null;
}
