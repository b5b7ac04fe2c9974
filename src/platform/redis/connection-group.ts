import { messageOf } from '../../contract/errors.js';
import { pause } from '../deadline.js';
import type { Logger } from '../logger.js';
import { refusesRight, userProblem } from './rights.js';

/** Time between two reconnects of the whole group. */
const reconnectIntervalMs = 1_000;
/** Time between two checks whether a missing right has been given. */
const rightsCheckMs = 5_000;

/** What the group uses of a connection. */
interface GroupMember {
  readonly status: string;
  disconnect(reconnect: boolean): void;
}

/**
 * The connections of this thread to one Redis. An error reply to one of them can concern all. When the master was replaced,
 * all reconnect: the old master still answers connections that only read or wait. A missing right is logged once, and so is
 * an outage, and its end.
 */
export class ConnectionGroup {
  readonly #url: string;
  readonly #connections = new Set<GroupMember>();
  #log: Logger | null = null;
  /** Where the outage was logged; null: Redis is reachable. */
  #outageLog: Logger | null = null;
  #reconnectedAt = Number.NEGATIVE_INFINITY;
  #reconnectTimer: NodeJS.Timeout | undefined;
  /** Aborts when the last connection leaves. */
  #empty = new AbortController();
  #isWatchingRights = false;
  #wasRightRefused = false;

  constructor(url: string) {
    this.#url = url;
  }

  /** `log`: of the part that opened the connection. One that logs at `info` is used for the whole group, if there is one. */
  add(redis: GroupMember, log: Logger): void {
    if (this.#connections.size === 0) {
      this.#empty = new AbortController();
      this.#log = null;
    }
    if (this.#log === null || (log.isLevelEnabled('info') && !this.#log.isLevelEnabled('info')))
      this.#log = log;
    this.#connections.add(redis);
  }

  remove(redis: GroupMember): void {
    this.#connections.delete(redis);
    if (this.#connections.size > 0) return;
    this.#empty.abort();
    clearTimeout(this.#reconnectTimer);
    this.#reconnectTimer = undefined;
  }

  /** A connection failed; ioredis connects again. Its part logs the outage, unless another part has or it logs only errors. */
  noteOutage(error: Error, log: Logger): void {
    if (this.#outageLog !== null || !log.isLevelEnabled('warn')) return;
    this.#outageLog = log;
    log.warn({ error: messageOf(error) }, 'Redis is not reachable; reconnecting');
  }

  /** A connection is ready. */
  noteReady(): void {
    this.#outageLog?.info('Redis is reachable again');
    this.#outageLog = null;
  }

  /** Call it with every error reply that a connection of the group gets. */
  handleError(error: Error): void {
    if (needsReconnect(error.message)) this.#reconnectSoon();
    if (!refusesRight(error.message)) return;
    this.#wasRightRefused = true;
    if (!this.#isWatchingRights) void this.#logMissingRight(error);
  }

  /** Reconnects all at once, but at most once per `reconnectIntervalMs`. */
  #reconnectSoon(): void {
    if (this.#reconnectTimer !== undefined) return;
    const waitMs = Math.max(0, this.#reconnectedAt + reconnectIntervalMs - performance.now());
    this.#reconnectTimer = setTimeout(() => {
      this.#reconnectTimer = undefined;
      this.#reconnectedAt = performance.now();
      for (const redis of this.#connections) {
        if (redis.status === 'ready' || redis.status === 'connect') redis.disconnect(true);
      }
    }, waitMs);
  }

  /** Logs that a right was taken away while the product runs, waits until it is given back, and logs that. */
  async #logMissingRight(error: Error): Promise<void> {
    this.#isWatchingRights = true;
    const { signal } = this.#empty;
    const check = () => userProblem(this.#url).catch((reason) => messageOf(reason));
    const problem = await check();
    this.#log?.error({ error: messageOf(error) }, problem ?? 'Redis refused a command: a right is missing');
    do {
      this.#wasRightRefused = false;
      await pause(rightsCheckMs, signal);
    } while (!signal.aborted && ((await check()) !== null || this.#wasRightRefused));
    this.#isWatchingRights = false;
    if (!signal.aborted) this.#log?.info('no right is missing in Redis any more');
  }
}

/**
 * Whether an error reply means that the connection is useless now: its server is no longer the master, or a proxy has
 * reconnected to the server without a login. Redis before 7 puts the code into the middle of a script's error. UNBLOCKED is
 * the reply to blocking commands when the server becomes a replica.
 */
export function needsReconnect(reply: string): boolean {
  return /(?:^|[ -])(?:READONLY|MASTERDOWN|NOAUTH)\b|^UNBLOCKED\b/.test(reply);
}
