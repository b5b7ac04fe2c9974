import { setMaxListeners } from 'node:events';
import { bounds } from '../../contract/bounds.js';
import { settledReadAgeS, settledSendAgeS } from '../../contract/command-jobs.js';
import { attemptKey } from '../../contract/keys.js';
import { readsQueue, sendsQueue } from '../../contract/names.js';
import type { Timing } from '../../contract/timing.js';
import { abortAfter } from '../../platform/deadline.js';
import { batchedScript } from '../../platform/redis/batched-script.js';
import { onSharedInterval } from '../../platform/shared-interval.js';
import type { QueueMarkers } from '../queue-markers.js';
import { QueueConsumer, type QueueState } from './queue-consumer.js';
import type { RunLock } from './queue-repair.js';
import { SessionReads } from './session-reads.js';
import { SessionSends, type SessionSendsOptions } from './session-sends.js';

export interface SessionCommandsOptions extends SessionSendsOptions {
  readonly timing: Timing;
  readonly markers: QueueMarkers;
  readonly lock: RunLock;
  readonly isHeld: () => boolean;
}

const readsAtOnce = 4;

/** Hosts' clocks differ. With this margin, a settled send stays readable for its full age by each of them. */
const clockMarginMs = 60_000;

/** From one check for lost commands to the next. */
const heartbeatsBetweenChecks = 3;

/**
 * Consumes a session's two queues of commands while its run is here. BullMQ never hands out a command twice by itself:
 * no lock expires and no stalled check runs on these queues. The next owner moves the commands that an owner left unfinished
 * back to the front of the queue, in their order. For a send, the record says whether it was attempted.
 */
export class SessionCommands {
  readonly #options: SessionCommandsOptions;
  readonly #ending = new AbortController();
  readonly #reads: QueueConsumer;
  readonly #sends: QueueConsumer;
  #stopWatching: () => void = () => undefined;
  #isChecking = false;
  #closed: Promise<void> | null = null;

  constructor(options: SessionCommandsOptions) {
    this.#options = options;
    // Each command that is under way adds a listener.
    setMaxListeners(0, this.#ending.signal);
    const reads = new SessionReads(options, this.#ending.signal);
    const sends = new SessionSends(options, this.#ending.signal);
    this.#reads = new QueueConsumer({
      ...options,
      name: readsQueue(options.session),
      hasRoom: (underWay) => underWay < readsAtOnce,
      retentionMs: settledReadAgeS * 1_000,
      run: (job) => reads.run(job),
    });
    this.#sends = new QueueConsumer({
      ...options,
      name: sendsQueue(options.session),
      hasRoom: () => sends.hasRoom,
      retentionMs: settledSendAgeS * 1_000 + clockMarginMs,
      onRetained: (count) => {
        if (count >= bounds.settledSends) options.recorder.onBound('settledSends');
      },
      disposableKey: (jobId) => attemptKey(options.session, jobId),
      run: (job) => sends.run(job),
    });
  }

  /** Takes commands until {@link close}. */
  start(): void {
    if (this.#ending.signal.aborted) return;
    this.#reads.start();
    this.#sends.start();
    this.#watch();
  }

  #watch(): void {
    const { markers, timing } = this.#options;
    const stops = [this.#reads, this.#sends].map((consumer) =>
      markers.watch(consumer.markerKey, () => consumer.wake()),
    );
    const check = (heartbeat: number) => {
      if (heartbeat % heartbeatsBetweenChecks === 0) void this.#checkForLost();
    };
    stops.push(onSharedInterval(timing.heartbeatIntervalMs, check));
    this.#stopWatching = () => {
      for (const stop of stops) stop();
    };
  }

  /** After a logout the waiting sends are void. Waits until each of them has settled, for `limitMs` at most. */
  async settleVoidedSends(limitMs: number): Promise<void> {
    this.#options.availability.notify();
    const { signal, clear } = abortAfter(limitMs, this.#ending.signal);
    await this.#sends.drained(signal).finally(clear);
  }

  /** Takes no more commands, and requeues those that did not settle. Resolves when no command is under way. */
  close(): Promise<void> {
    this.#ending.abort();
    this.#stopWatching();
    this.#closed ??= Promise.all([this.#reads.close(), this.#sends.close()]).then(() => undefined);
    return this.#closed;
  }

  /** One check at a time: those that an outage delayed would all return at once and see the same state. Never rejects. */
  async #checkForLost(): Promise<void> {
    if (this.#isChecking) return;
    this.#isChecking = true;
    try {
      const [reads, sends] = await this.#readQueues();
      this.#reads.look(reads);
      this.#sends.look(sends);
    } catch (error) {
      this.#options.log.debug({ err: error }, 'could not check for lost commands');
    } finally {
      this.#isChecking = false;
    }
  }

  async #readQueues(): Promise<[reads: QueueState, sends: QueueState]> {
    const consumers = [this.#reads, this.#sends];
    const keys = consumers.flatMap(({ activeKey, waitKey }) => [activeKey, waitKey]);
    const [reads, readsWaiting, sends, sendsWaiting] = await readQueuesScript(this.#options.redis, keys, []);
    return [
      { active: reads, waiting: readsWaiting },
      { active: sends, waiting: sendsWaiting },
    ];
  }
}

// KEYS active and wait of one queue, then of the other
// returns for each: ids of the active jobs, the newest first; number of waiting jobs
const readQueuesScript = batchedScript<[string[], number, string[], number]>(
  'readQueues',
  4,
  0,
  `return {
     redis.call('LRANGE', KEYS[1], 0, -1), redis.call('LLEN', KEYS[2]),
     redis.call('LRANGE', KEYS[3], 0, -1), redis.call('LLEN', KEYS[4]),
   }`,
);
