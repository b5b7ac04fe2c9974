import type { BackendFactory, RedisQueueBackend } from 'bullmq';
import { queueKey } from '../contract/keys.js';
import { sessionsQueue } from '../contract/names.js';
import { type Deferred, deferred, pause } from '../platform/deadline.js';
import type { Marker, QueueMarkers } from './queue-markers.js';
import { withoutBlockingConnection } from './worker-backend.js';

const markerKey = queueKey(sessionsQueue, 'marker');

/**
 * Waits for starts of sessions in place of BullMQ's own blocking read. It takes markers only while BullMQ waits: while this
 * supervisor can take no start, or leaves it to others, they are for others.
 */
export class StartMarker {
  readonly #markers: QueueMarkers;
  #waiting: Deferred<Marker | null> | null = null;
  #isEnded = false;

  constructor(markers: QueueMarkers) {
    this.#markers = markers;
  }

  /** For BullMQ's worker. */
  readonly backend: BackendFactory<RedisQueueBackend> = (...options) =>
    Object.assign(withoutBlockingConnection(...options), {
      waitForJob: (seconds: number) => this.#wait(seconds * 1_000),
      // BullMQ ends its loop with it.
      disconnectBlocking: async () => {
        this.#isEnded = true;
        this.#waiting?.resolve(null);
      },
      reconnectBlocking: async () => undefined,
    });

  /** Resolves to the next marker; null: there was none in this time. */
  async #wait(ms: number): Promise<Marker | null> {
    if (this.#isEnded) return null;
    const waiting = deferred<Marker | null>();
    this.#waiting = waiting;
    const unwatch = this.#markers.watch(markerKey, (marker) => waiting.resolve(marker));
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
