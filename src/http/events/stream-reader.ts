import { pause, unlessAborted } from '../../platform/deadline.js';
import type { Logger } from '../../platform/logger.js';
import { notifyEach } from '../../platform/notify-each.js';
import type { Redis } from '../../platform/redis/connection.js';
import {
  awaitEvents,
  lossAt,
  type Position,
  readEvents,
  unreadableType,
} from '../../platform/store/event-stream.js';
import { type FramedEvent, framedEntry } from './frames.js';

export interface StreamSubscriber {
  /** The next events of the stream, in order. They may begin with events that the subscriber has had already. */
  onEvents(events: readonly FramedEvent[]): void;
  /** Events may be lost; the next ones are the oldest that Redis keeps. */
  onLoss(loss: Loss): void;
  /** A callback of this subscriber threw. The other subscribers are not affected. */
  fail(error: unknown): void;
}

export interface Loss {
  /** `trimmed`: the events after the position are no longer kept. `reset`: Redis lost the whole stream. */
  readonly kind: 'trimmed' | 'reset';
  readonly oldestId: string | null;
}

interface StreamReaderOptions {
  /** Opens a connection for the blocking read; it reconnects by itself. */
  readonly connect: () => Redis;
  readonly session: string;
  /** Must be shorter than the connection's socket timeout. */
  readonly blockMs: number;
  /** How long to go on reading without a subscriber: clients often come back. */
  readonly lingerMs: number;
  /** Gets each `state` event as JSON, before the subscribers. Must not throw. */
  readonly onState: (json: string) => void;
  readonly log: Logger;
}

/** One period of reading, from the first subscriber until some time after the last. */
interface Reading {
  readonly redis: Redis;
  readonly stopping: AbortController;
  position: Position;
  /** The connection was closed: Redis may have lost data, or be another server. */
  isUnverified: boolean;
}

const readRetryMs = 200;

/**
 * Reads a session's stream for all subscribers on this replica, with one blocking read on one connection. Some time after the
 * last subscriber has left, it closes the connection.
 */
export class StreamReader {
  readonly #options: StreamReaderOptions;
  readonly #subscribers = new Set<StreamSubscriber>();
  readonly #ends = new Set<Promise<void>>();
  #reading: Reading | null = null;
  #lingerTimer: NodeJS.Timeout | undefined;

  constructor(options: StreamReaderOptions) {
    this.#options = options;
  }

  /** The last entry that the subscribers were given; null while nothing is read. */
  get position(): Position | null {
    return this.#reading?.position ?? null;
  }

  /**
   * Delivers everything after {@link position}, or after `from` while nothing is read yet. Returns the function that
   * ends the subscription.
   */
  subscribe(subscriber: StreamSubscriber, from: Position): () => void {
    clearTimeout(this.#lingerTimer);
    this.#subscribers.add(subscriber);
    if (this.#reading === null) this.#start(from);
    return () => {
      if (!this.#subscribers.delete(subscriber) || this.#subscribers.size > 0) return;
      clearTimeout(this.#lingerTimer);
      this.#lingerTimer = setTimeout(() => this.#stop(), this.#options.lingerMs);
    };
  }

  async close(): Promise<void> {
    clearTimeout(this.#lingerTimer);
    this.#subscribers.clear();
    this.#stop();
    await Promise.all(this.#ends);
  }

  #start(position: Position): void {
    const redis = this.#options.connect();
    const reading = { redis, position, stopping: new AbortController(), isUnverified: true };
    redis.on('close', () => {
      reading.isUnverified = true;
    });
    this.#reading = reading;
    // #read never rejects, and ends only when stopped.
    const end = this.#read(reading).finally(() => this.#ends.delete(end));
    this.#ends.add(end);
  }

  #stop(): void {
    this.#reading?.stopping.abort();
    this.#reading?.redis.disconnect();
    this.#reading = null;
  }

  async #read(reading: Reading): Promise<void> {
    const { session, blockMs } = this.#options;
    const { signal } = reading.stopping;
    while (!signal.aborted) {
      try {
        // Closing the connection does not settle a command that waits for a reconnect: hence unlessAborted.
        const next = awaitEvents(reading.redis, session, reading.position, blockMs);
        const entries = await unlessAborted(next, signal);
        const mayHaveLost = entries.length === 0 || reading.isUnverified;
        const loss = mayHaveLost ? await unlessAborted(this.#findLoss(reading), signal) : null;
        if (loss !== null) this.#notifyEach((subscriber) => subscriber.onLoss(loss));
        if (loss?.kind === 'reset') {
          reading.position = '-';
          continue;
        }
        for (const { id, type } of entries) {
          if (type === unreadableType)
            this.#options.log.error({ session, id }, 'skipped an event that cannot be parsed');
        }
        if (entries.length > 0) this.#deliver(reading, entries.map(framedEntry));
      } catch (error) {
        // Logged as debug only: the connection itself logs once that it is down, and a Redis that is loading refuses every read.
        if (!signal.aborted) this.#options.log.debug({ err: error }, 'could not read events; retrying');
        await pause(readRetryMs, signal);
      }
    }
  }

  #deliver(reading: Reading, events: readonly FramedEvent[]): void {
    reading.position = events.at(-1)?.id ?? reading.position;
    for (const { type, json } of events) if (type === 'state') this.#options.onState(json);
    this.#notifyEach((subscriber) => subscriber.onEvents(events));
  }

  #notifyEach(notify: (subscriber: StreamSubscriber) => void): void {
    notifyEach(this.#subscribers, notify, (error, subscriber) => subscriber.fail(error));
  }

  /** Resolves to what was lost after the position; null: Redis still has everything. */
  async #findLoss(reading: Reading): Promise<Loss | null> {
    reading.isUnverified = false;
    const view = await readEvents(reading.redis, this.#options.session, reading.position, 1);
    const kind = lossAt(reading.position, view);
    return kind === null ? null : { kind, oldestId: view.oldestId };
  }
}
