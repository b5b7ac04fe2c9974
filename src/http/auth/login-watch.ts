import type { Logger } from '../../platform/logger.js';
import { notifyEach } from '../../platform/notify-each.js';
import { type CheckGrants, type Grant, grantId } from './grants.js';

/**
 * Ends event streams and waits when what let their caller in ends: a browser login by its TTL, by a sign-out on any replica, by the
 * removal of its key, or by a logout of the account; a key that was made while the product ran by its expiry or removal. One read of
 * Redis at each interval checks all that is watched. Without anything watched it reads nothing. While Redis is unreachable, a grant
 * ends only by its last known TTL.
 */
export class LoginWatch {
  readonly #checkGrants: CheckGrants;
  readonly #intervalMs: number;
  readonly #log: Logger;
  readonly #watched = new Map<string, WatchedGrant>();
  #timer: NodeJS.Timeout | undefined;
  #isChecking = false;

  constructor(checkGrants: CheckGrants, intervalMs: number, log: Logger) {
    this.#checkGrants = checkGrants;
    this.#intervalMs = intervalMs;
    this.#log = log;
  }

  /** Calls `onEnd` once if the grant ends. Returns the function that cancels this. */
  add(grant: Grant, onEnd: () => void): () => void {
    const id = grantId(grant);
    const watched = this.#watched.get(id) ?? { grant, callbacks: new Set(), endsAt: null };
    watched.callbacks.add(onEnd);
    this.#watched.set(id, watched);
    this.#timer ??= setInterval(() => void this.check(), this.#intervalMs);
    return () => {
      watched.callbacks.delete(onEnd);
      if (watched.callbacks.size === 0) this.#forget(watched);
    };
  }

  /** Checks now. Never rejects. */
  async check(): Promise<void> {
    this.#endExpired();
    if (this.#isChecking || this.#watched.size === 0) return;
    this.#isChecking = true;
    const checked = [...this.#watched.values()];
    try {
      const sentAt = performance.now();
      const results = await this.#checkGrants(checked.map(({ grant }) => grant));
      for (const [i, { isValid, ttlMs }] of results.entries()) {
        const watched = checked[i] as WatchedGrant;
        watched.endsAt = sentAt + ttlMs;
        if (!isValid) this.#end(watched);
      }
    } catch {
      // Redis is unreachable; the next check tries again.
    } finally {
      this.#isChecking = false;
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#watched.clear();
  }

  #endExpired(): void {
    for (const watched of this.#watched.values()) {
      // One interval late: while Redis is reachable, a check of Redis ends the grant in time.
      if (watched.endsAt !== null && performance.now() > watched.endsAt + this.#intervalMs)
        this.#end(watched);
    }
  }

  #end(watched: WatchedGrant): void {
    const callbacks = [...watched.callbacks];
    watched.callbacks.clear();
    this.#forget(watched);
    notifyEach(
      callbacks,
      (onEnd) => onEnd(),
      (error) => this.#log.error({ err: error }, 'could not end a request whose login or key has ended'),
    );
  }

  #forget({ grant, callbacks }: WatchedGrant): void {
    const id = grantId(grant);
    if (this.#watched.get(id)?.callbacks === callbacks) this.#watched.delete(id);
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

interface WatchedGrant {
  readonly grant: Grant;
  readonly callbacks: Set<() => void>;
  /** By the monotonic clock, in ms; null before the first check. */
  endsAt: number | null;
}
