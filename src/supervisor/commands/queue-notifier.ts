import type { Timing } from '../../contract/timing.js';
import { pause, unlessAborted } from '../../platform/deadline.js';
import { retryMs } from '../../platform/insist.js';
import type { Logger } from '../../platform/logger.js';
import { blockingTwin, type Redis } from '../../platform/redis/connection.js';
import { settingAside } from '../../platform/redis/set-aside.js';
import type { QueueConsumer } from './queue-consumer.js';

interface WatchOptions {
  readonly redis: Redis;
  readonly timing: Pick<Timing, 'drainDelayMs'>;
  readonly lanes: readonly QueueConsumer[];
  readonly log: Logger;
}

/**
 * Wakes each lane when something is put into its queue, by one blocking read for all of them. BullMQ's own would be two
 * commands for each lane and read, though nothing happens. A marker that was lost with a connection is made up for: all
 * are woken once it is there again.
 */
export class QueueNotifier {
  readonly #options: WatchOptions;
  readonly #closing = new AbortController();
  #connection: Redis | null = null;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  start(): void {
    const { redis, lanes, timing, log } = this.#options;
    if (this.#closing.signal.aborted) return;
    this.#connection = blockingTwin(redis);
    this.#connection.on('ready', () => {
      for (const lane of lanes) lane.wake();
    });
    // It reads until it is closed, whatever Redis says.
    void this.#read(this.#connection, timing.drainDelayMs / 1_000, log);
  }

  close(): void {
    this.#closing.abort();
    this.#connection?.disconnect();
  }

  async #read(connection: Redis, seconds: number, log: Logger): Promise<void> {
    const { lanes, redis } = this.#options;
    const closing = this.#closing.signal;
    const markers = lanes.map(({ markerKey }) => markerKey);
    while (!closing.aborted) {
      try {
        // A command that waits for Redis to come back is not settled by the end of its connection.
        const read = settingAside(redis, markers, () => connection.bzpopmin(...markers, seconds));
        const marker = await unlessAborted(read, closing);
        lanes.find(({ markerKey }) => markerKey === marker?.[0])?.wake();
      } catch (error) {
        if (closing.aborted) return;
        log.debug({ err: error }, 'no watch for commands');
        await pause(retryMs, closing);
      }
    }
  }
}
