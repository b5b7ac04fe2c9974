import { type BackendFactory, createRedisBackend, type RedisQueueBackend } from 'bullmq';
import { queueKey } from '../contract/keys.js';
import { sessionsQueue } from '../contract/names.js';
import { type Deferred, deferred, pause } from '../platform/deadline.js';
import type { QueueMarkers } from './queue-markers.js';

const markerKey = queueKey(sessionsQueue, 'marker');

/**
 * Waits for starts of sessions in place of BullMQ's own blocking read. It takes markers from the first wait on until a start is
 * taken: while this supervisor can take no start, they are for others.
 */
export class StartMarker {
  readonly #markers: QueueMarkers;
  #unwatch: (() => void) | null = null;
  /** Read while nothing waited for it. */
  #pending: number | null = null;
  #waiting: Deferred<number | null> | null = null;
  #isEnded = false;

  constructor(markers: QueueMarkers) {
    this.#markers = markers;
  }

  /** For BullMQ's worker. */
  readonly backend: BackendFactory<RedisQueueBackend> = (name, options) =>
    Object.assign(createRedisBackend(name, options, { withBlockingConnection: false }), {
      waitForJob: async (seconds: number) => {
        const score = await this.#wait(seconds * 1_000);
        return score === null ? null : { member: score === 0 ? '0' : '1', score };
      },
      // BullMQ ends its loop with it.
      disconnectBlocking: async () => this.#end(),
      reconnectBlocking: async () => undefined,
    });

  /** A start was taken. */
  leave(): void {
    this.#unwatch?.();
    this.#unwatch = null;
    if (this.#pending !== null) void this.#markers.putBack(markerKey, this.#pending);
    this.#pending = null;
  }

  /** Resolves to when the next start is due (ms since 1970; 0: now); null: there was no marker in this time. */
  async #wait(ms: number): Promise<number | null> {
    if (this.#isEnded) return null;
    this.#unwatch ??= this.#markers.watch(markerKey, (dueAt) => {
      if (this.#waiting === null) this.#pending = dueAt;
      else this.#waiting.resolve(dueAt);
      this.#waiting = null;
    });
    const pending = this.#pending;
    this.#pending = null;
    if (pending !== null) return pending;
    const waiting = deferred<number | null>();
    this.#waiting = waiting;
    const over = new AbortController();
    void pause(ms, over.signal).then(() => waiting.resolve(null));
    try {
      return await waiting.promise;
    } finally {
      this.#waiting = null;
      over.abort();
    }
  }

  #end(): void {
    this.#isEnded = true;
    this.leave();
    this.#waiting?.resolve(null);
  }
}
