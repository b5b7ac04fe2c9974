import { setMaxListeners } from 'node:events';
import { bounds } from '../../contract/bounds.js';
import { settledReadAgeS, settledSendAgeS } from '../../contract/command-jobs.js';
import { attemptKey } from '../../contract/keys.js';
import { readsQueue, sendsQueue } from '../../contract/names.js';
import type { Timing } from '../../contract/timing.js';
import { abortAfter, pause } from '../../platform/deadline.js';
import { luaScript } from '../../platform/redis/lua-script.js';
import { retryUntilSuccess } from '../../platform/retry.js';
import { QueueConsumer, type QueueState } from './queue-consumer.js';
import { QueueNotifier } from './queue-notifier.js';
import { SessionReads } from './session-reads.js';
import { SessionSends, type SessionSendsOptions } from './session-sends.js';

interface SessionCommandsOptions extends SessionSendsOptions {
  readonly timing: Timing;
}

const readsAtOnce = 4;

/** Hosts' clocks differ. With this margin, a settled send stays readable for its full age by each of them. */
const clockMarginMs = 60_000;

/** Time between two checks for lost commands. After a check that suspects any, the next one comes one heartbeat later. */
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
  readonly #notifier: QueueNotifier;
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
    this.#notifier = new QueueNotifier({ ...options, consumers: [this.#reads, this.#sends] });
  }

  /**
   * Takes commands until {@link close}. Retries what Redis refuses until then: without it the session would take no more
   * commands in this run. Rejects only once closed.
   */
  async start(): Promise<void> {
    const sentence = 'Redis refused to list the commands; none is taken yet, trying again';
    const { signal } = this.#ending;
    const [reads, sends] = await retryUntilSuccess(() => this.#readQueues(), {
      signal,
      log: this.#options.log,
      sentence,
    });
    await Promise.all([this.#reads.start(reads.active), this.#sends.start(sends.active)]);
    this.#notifier.start();
    await this.#checkForLost();
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
    this.#notifier.close();
    this.#closed ??= Promise.all([this.#reads.close(), this.#sends.close()]).then(() => undefined);
    return this.#closed;
  }

  /** Runs one check at a time. Checks that an outage delayed would otherwise all return at once and see the same state. */
  async #checkForLost(): Promise<void> {
    const ending = this.#ending.signal;
    const { heartbeatIntervalMs } = this.#options.timing;
    let heartbeats = heartbeatsBetweenChecks;
    for (;;) {
      await pause(heartbeats * heartbeatIntervalMs, ending);
      if (ending.aborted) return;
      try {
        const [reads, sends] = await this.#readQueues();
        const suspected = await Promise.all([this.#reads.recoverLost(reads), this.#sends.recoverLost(sends)]);
        heartbeats = suspected.includes(true) ? 1 : heartbeatsBetweenChecks;
      } catch (error) {
        this.#options.log.debug({ err: error }, 'could not check for lost commands');
      }
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
const readQueuesScript = luaScript<[string[], number, string[], number]>(
  'readQueues',
  4,
  `return {
     redis.call('LRANGE', KEYS[1], 0, -1), redis.call('LLEN', KEYS[2]),
     redis.call('LRANGE', KEYS[3], 0, -1), redis.call('LLEN', KEYS[4]),
   }`,
);
