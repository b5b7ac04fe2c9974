import { pause, unlessAborted } from '../../platform/deadline.js';
import type { Logger } from '../../platform/logger.js';
import { notifyEach } from '../../platform/notify-each.js';
import type { Redis } from '../../platform/redis/connection.js';
import type { Positions } from '../../platform/store/event-positions.js';
import { unreadableType } from '../../platform/store/event-stream.js';
import type { EventSource, NextEvents } from './event-source.js';
import { type FramedEvent, framedEntry } from './frames.js';

export interface StreamSubscriber {
  /** The next events of the stream, in order. They may begin with events that the subscriber has had already. */
  onEvents(events: readonly FramedEvent[]): void;
  /** Events may be lost. The subscriber must read on by itself, and may then subscribe again. */
  onLoss(): void;
  /** A callback of this subscriber threw. The other subscribers are not affected. */
  fail(error: unknown): void;
}

interface StreamReaderOptions {
  /** Opens a connection for the blocking read; it reconnects by itself. */
  readonly connect: () => Redis;
  readonly source: EventSource;
  /** Must be shorter than the connection's socket timeout. */
  readonly blockMs: number;
  /** How long to go on reading without a subscriber: clients often come back. */
  readonly lingerMs: number;
  /** Gets each `state` event, before the subscribers. Must not throw. */
  readonly onState: (event: FramedEvent) => void;
  readonly log: Logger;
}

/** One period of reading, from the first subscriber until some time after the last. */
interface Reading {
  readonly redis: Redis;
  readonly stopping: AbortController;
  cursor: string;
  /** The connection was closed: Redis may have lost data, or be another server. */
  isUnverified: boolean;
}

const readRetryMs = 200;

/**
 * Reads events for all subscribers on this replica, with one blocking read on one connection. Some time after the
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

  /** Up to where the subscribers were given the events; null while nothing is read. */
  get cursor(): string | null {
    return this.#reading?.cursor ?? null;
  }

  /**
   * Delivers everything after {@link cursor}, or after `from` while nothing is read yet. Returns the function that
   * ends the subscription.
   */
  subscribe(subscriber: StreamSubscriber, from: Positions): () => void {
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

  #start(from: Positions): void {
    const redis = this.#options.connect();
    const cursor = this.#options.source.cursorAt(from);
    const reading = { redis, cursor, stopping: new AbortController(), isUnverified: true };
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
    const { source, blockMs } = this.#options;
    const { signal } = reading.stopping;
    while (!signal.aborted) {
      try {
        // Closing the connection does not settle a command that waits for a reconnect: hence unlessAborted.
        const next = await unlessAborted(source.next(reading.redis, reading.cursor, blockMs), signal);
        const mayHaveLost = next.cursor === reading.cursor || reading.isUnverified;
        const loss = mayHaveLost ? await unlessAborted(this.#findLoss(reading), signal) : null;
        if (loss !== null) this.#notifyEach((subscriber) => subscriber.onLoss());
        if (loss?.kind === 'reset') reading.cursor = '-';
        else if (!next.isStale()) this.#deliver(reading, next);
      } catch (error) {
        // Logged as debug only: the connection itself logs once that it is down, and a Redis that is loading refuses every read.
        if (!signal.aborted) this.#options.log.debug({ err: error }, 'could not read events; retrying');
        await pause(readRetryMs, signal);
      }
    }
  }

  #deliver(reading: Reading, { entries, cursor }: NextEvents): void {
    reading.cursor = cursor;
    if (entries.length === 0) return;
    const events = entries.map(framedEntry);
    for (const event of events) {
      const { id, session, type } = event;
      if (type === 'state') this.#options.onState(event);
      if (type === unreadableType) {
        this.#options.log.error({ session, id }, 'skipped an event that cannot be parsed');
      }
    }
    this.#notifyEach((subscriber) => subscriber.onEvents(events));
  }

  #notifyEach(notify: (subscriber: StreamSubscriber) => void): void {
    notifyEach(this.#subscribers, notify, (error, subscriber) => subscriber.fail(error));
  }

  async #findLoss(reading: Reading): ReturnType<EventSource['findLoss']> {
    reading.isUnverified = false;
    return await this.#options.source.findLoss(reading.redis, reading.cursor);
  }
}
