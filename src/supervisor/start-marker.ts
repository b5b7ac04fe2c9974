import type { BackendFactory, RedisQueueBackend } from 'bullmq';
import { queueKey } from '../contract/keys.js';
import { sessionsQueue } from '../contract/names.js';
import { type Deferred, deferred, pause } from '../platform/deadline.js';
import type { QueueMarkers } from './queue-markers.js';
import { withoutBlockingConnection } from './worker-backend.js';

const markerKey = queueKey(sessionsQueue, 'marker');

/**
 * Waits for starts of sessions in place of BullMQ's own blocking read. It takes markers only while BullMQ waits: while this
 * supervisor can take no start, or leaves it to others, they are for others.
 */
export class StartMarker {
  readonly #markers: QueueMarkers;
  #waiting: Deferred<number | null> | null = null;
  #isEnded = false;

  constructor(markers: QueueMarkers) {
    this.#markers = markers;
  }

  /** For BullMQ's worker. */
  readonly backend: BackendFactory<RedisQueueBackend> = (...options) =>
    Object.assign(withoutBlockingConnection(...options), {
      waitForJob: async (seconds: number) => {
        const score = await this.#wait(seconds * 1_000);
        return score === null ? null : { member: score === 0 ? '0' : '1', score };
      },
      // BullMQ ends its loop with it.
      disconnectBlocking: async () => {
        this.#isEnded = true;
        this.#waiting?.resolve(null);
      },
      reconnectBlocking: async () => undefined,
    });

  /** Resolves to when the next start is due (ms since 1970; 0: now); null: there was no marker in this time. */
  async #wait(ms: number): Promise<number | null> {
    if (this.#isEnded) return null;
    const waiting = deferred<number | null>();
    this.#waiting = waiting;
    const unwatch = this.#markers.watch(markerKey, (dueAt) => waiting.resolve(dueAt));
    const over = new AbortController();
    void pause(ms, over.signal).then(() => waiting.resolve(null));
    try {
      return await waiting.promise;
    } finally {
      unwatch();
      over.abort();
    }
  }
}
