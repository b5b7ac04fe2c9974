import type { Logger } from '../../platform/logger.js';
import { notifyEach } from '../../platform/notify-each.js';
import type { BrowserLogin, BrowserLogins } from './browser-logins.js';

/**
 * Ends event streams and waits when their browser login ends: by its TTL, by a sign-out on any replica, by the removal of its key,
 * or by a logout of the account. One read of Redis at each interval checks all watched logins. Without watched logins it reads
 * nothing. While Redis is unreachable, a login ends only by its last known TTL.
 */
export class LoginWatch {
  readonly #logins: Pick<BrowserLogins, 'check'>;
  readonly #intervalMs: number;
  readonly #log: Logger;
  readonly #watched = new Map<string, WatchedLogin>();
  #timer: NodeJS.Timeout | undefined;
  #isChecking = false;

  constructor(logins: Pick<BrowserLogins, 'check'>, intervalMs: number, log: Logger) {
    this.#logins = logins;
    this.#intervalMs = intervalMs;
    this.#log = log;
  }

  /** Calls `onEnd` once if the login ends. Returns the function that cancels this. */
  add(login: BrowserLogin, onEnd: () => void): () => void {
    const watched = this.#watched.get(login.redisKey) ?? { login, callbacks: new Set(), endsAt: null };
    watched.callbacks.add(onEnd);
    this.#watched.set(login.redisKey, watched);
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
      const results = await this.#logins.check(checked.map(({ login }) => login));
      for (const [i, { isValid, ttlMs }] of results.entries()) {
        const watched = checked[i] as WatchedLogin;
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
      // One interval late: while Redis is reachable, a check of Redis ends the login in time.
      if (watched.endsAt !== null && performance.now() > watched.endsAt + this.#intervalMs)
        this.#end(watched);
    }
  }

  #end(watched: WatchedLogin): void {
    const callbacks = [...watched.callbacks];
    watched.callbacks.clear();
    this.#forget(watched);
    notifyEach(
      callbacks,
      (onEnd) => onEnd(),
      (error) => this.#log.error({ err: error }, 'could not end a request whose login has ended'),
    );
  }

  #forget({ login, callbacks }: WatchedLogin): void {
    if (this.#watched.get(login.redisKey)?.callbacks === callbacks) this.#watched.delete(login.redisKey);
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

interface WatchedLogin {
  readonly login: BrowserLogin;
  readonly callbacks: Set<() => void>;
  /** By the monotonic clock, in ms; null before the first check. */
  endsAt: number | null;
}
