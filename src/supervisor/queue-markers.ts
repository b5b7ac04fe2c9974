import { supervisorWakeKey } from '../contract/keys.js';
import type { Timing } from '../contract/timing.js';
import { type Deferred, deferred, pause, unlessAborted } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';
import { blockingDuplicate, type Redis, reconnectEvents } from '../platform/redis/connection.js';
import { luaScript } from '../platform/redis/lua-script.js';
import { withQuarantine } from '../platform/redis/quarantine.js';
import { redisRetryMs } from '../platform/retry.js';

interface QueueMarkersOptions {
  readonly redis: Redis;
  readonly supervisorId: string;
  readonly timing: Pick<Timing, 'drainDelayMs'>;
  readonly log: Logger;
}

/** A marker as BullMQ writes it. `score`: when the next job is due (ms since 1970; 0: now). */
export interface Marker {
  readonly member: string;
  readonly score: number;
}

/** A marker was read: there may be a job. Also called, with the marker of a job that is due, when one may be lost. */
type OnMarker = (marker: Marker) => void;

const dueMarker: Marker = { member: '0', score: 0 };

/** In case this supervisor dies before it reads its own wake-up. */
const wakeKeyTtlMs = 10_000;

/**
 * Tells when a job is added to one of the queues of a supervisor, with one blocking read of all their markers: BullMQ's own loop
 * would need a connection and two commands for each queue, even when nothing happens. A marker can be lost with its
 * connection, so that all are told whenever the connection is ready.
 *
 * A read that begins to miss a queue is ended by a key of this supervisor. A marker that is read after its queue is no longer
 * watched goes back, for the supervisor that watches the queue now.
 */
export class QueueMarkers {
  readonly #options: QueueMarkersOptions;
  readonly #wakeKey: string;
  readonly #closing = new AbortController();
  readonly #connection: Redis;
  /** By the key of the marker; the one whose marker was read last comes last, so that a busy queue holds up no other. */
  readonly #watched = new Map<string, OnMarker>();
  /** The keys of the read under way; null: none is. */
  #reading: ReadonlySet<string> | null = null;
  #isWaking = false;
  /** Resolves when the first queue is watched. */
  #anyWatched: Deferred<void> = deferred();

  constructor(options: QueueMarkersOptions) {
    this.#options = options;
    this.#wakeKey = supervisorWakeKey(options.supervisorId);
    this.#connection = blockingDuplicate(options.redis);
    const tellAll = () => {
      for (const onMarker of this.#watched.values()) onMarker(dueMarker);
    };
    for (const event of reconnectEvents) this.#connection.on(event, tellAll);
    // Not awaited: it handles its errors, and ends after `close`.
    void this.#read();
  }

  /** Calls `onMarker` until the function that it returns is called. */
  watch(markerKey: string, onMarker: OnMarker): () => void {
    this.#watched.set(markerKey, onMarker);
    this.#anyWatched.resolve();
    if (this.#reading !== null && !this.#reading.has(markerKey)) this.#endRead();
    return () => {
      if (this.#watched.get(markerKey) !== onMarker) return;
      this.#watched.delete(markerKey);
      if (this.#watched.size === 0) this.#anyWatched = deferred();
    };
  }

  close(): void {
    this.#closing.abort();
    this.#connection.disconnect();
  }

  async #read(): Promise<void> {
    const { redis, timing, log } = this.#options;
    const closing = this.#closing.signal;
    while (!closing.aborted) {
      await unlessAborted(this.#anyWatched.promise, closing).catch(() => undefined);
      if (closing.aborted) return;
      const keys = [this.#wakeKey, ...this.#watched.keys()];
      this.#reading = new Set(keys);
      this.#isWaking = false;
      try {
        // Closing the connection does not settle a command that waits for Redis to come back.
        const read = withQuarantine(redis, keys, () =>
          this.#connection.bzpopmin(...keys, timing.drainDelayMs / 1_000),
        );
        const popped = await unlessAborted(read, closing);
        this.#reading = null;
        if (popped === null) continue;
        const [key, member, score] = popped;
        this.#tell(key, { member, score: Number(score) });
      } catch (error) {
        if (closing.aborted) return;
        log.debug({ err: error }, 'could not read the markers of the queues; trying again');
        await pause(redisRetryMs, closing);
      }
    }
  }

  #tell(key: string, marker: Marker): void {
    if (key === this.#wakeKey) return;
    const onMarker = this.#watched.get(key);
    if (onMarker === undefined) return void this.#putBack(key, marker);
    this.#watched.delete(key);
    this.#watched.set(key, onMarker);
    onMarker(marker);
  }

  /** For the supervisor that watches the queue now. Never rejects: that one also looks for jobs from time to time. */
  async #putBack(markerKey: string, { member, score }: Marker): Promise<void> {
    const { redis, log } = this.#options;
    const meta = markerKey.replace(/marker$/, 'meta');
    await putBackScript(redis, [markerKey, meta], [score, member]).catch((error) =>
      log.debug({ err: error }, 'could not put back the marker of a queue'),
    );
  }

  /** Otherwise it would end by itself, after `drainDelayMs` at most. */
  #endRead(): void {
    if (this.#isWaking) return;
    this.#isWaking = true;
    const { redis, log } = this.#options;
    const waking = redis.pipeline().zadd(this.#wakeKey, 0, '0').pexpire(this.#wakeKey, wakeKeyTtlMs);
    waking.exec().catch((error) => log.debug({ err: error }, 'could not end the read of the markers'));
  }
}

// KEYS marker meta
// ARGV score member
// returns 1, or 0 if the queue was deleted
const putBackScript = luaScript<number>(
  'putBackMarker',
  2,
  `if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
   redis.call('ZADD', KEYS[1], 'NX', ARGV[1], ARGV[2])
   return 1`,
);
