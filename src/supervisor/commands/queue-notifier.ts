import type { Timing } from '../../contract/timing.js';
import { pause, unlessAborted } from '../../platform/deadline.js';
import type { Logger } from '../../platform/logger.js';
import { blockingDuplicate, type Redis } from '../../platform/redis/connection.js';
import { withQuarantine } from '../../platform/redis/quarantine.js';
import { redisRetryMs } from '../../platform/retry.js';
import type { QueueConsumer } from './queue-consumer.js';

interface QueueNotifierOptions {
  readonly redis: Redis;
  readonly timing: Pick<Timing, 'drainDelayMs'>;
  readonly consumers: readonly QueueConsumer[];
  readonly log: Logger;
}

/**
 * Wakes each consumer when a job is added to its queue, with one blocking read for all of them. BullMQ's own loop would
 * need two commands per consumer and read, even when nothing happens. A marker can be lost with its connection, so all
 * consumers are woken whenever the connection is ready.
 */
export class QueueNotifier {
  readonly #options: QueueNotifierOptions;
  readonly #closing = new AbortController();
  #connection: Redis | null = null;

  constructor(options: QueueNotifierOptions) {
    this.#options = options;
  }

  start(): void {
    const { redis, consumers, timing, log } = this.#options;
    if (this.#closing.signal.aborted) return;
    this.#connection = blockingDuplicate(redis);
    this.#connection.on('ready', () => {
      for (const consumer of consumers) consumer.wake();
    });
    // Not awaited: it handles its errors, and ends after `close`.
    void this.#read(this.#connection, timing.drainDelayMs / 1_000, log);
  }

  close(): void {
    this.#closing.abort();
    this.#connection?.disconnect();
  }

  async #read(connection: Redis, seconds: number, log: Logger): Promise<void> {
    const { consumers, redis } = this.#options;
    const closing = this.#closing.signal;
    const markers = consumers.map(({ markerKey }) => markerKey);
    while (!closing.aborted) {
      try {
        // Closing the connection does not settle a command that waits for Redis to come back.
        const read = withQuarantine(redis, markers, () => connection.bzpopmin(...markers, seconds));
        const marker = await unlessAborted(read, closing);
        consumers.find(({ markerKey }) => markerKey === marker?.[0])?.wake();
      } catch (error) {
        if (closing.aborted) return;
        log.debug({ err: error }, 'could not read the markers of the command queues; trying again');
        await pause(redisRetryMs, closing);
      }
    }
  }
}
