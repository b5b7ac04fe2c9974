import { type Job, Queue, WaitingError, Worker, type WorkerOptions } from 'bullmq';
import { messageOf } from '../../contract/errors.js';
import { keyPrefix } from '../../contract/keys.js';
import type { Timing } from '../../contract/timing.js';
import { pause, withDeadline } from '../../platform/deadline.js';
import type { Logger } from '../../platform/logger.js';
import type { Redis } from '../../platform/redis.js';

interface LaneOptions {
  readonly redis: Redis;
  readonly timing: Timing;
  readonly name: string;
  readonly concurrency: number;
  /** null: not settled; the job is for the next owner. */
  readonly run: (job: Job) => Promise<unknown>;
  readonly log: Logger;
}

/** Between two tries at what Redis refused. */
export const retryMs = 1_000;

/** One queue of commands and its worker. */
export class CommandLane {
  readonly #queue: Queue;
  readonly #worker: Worker;
  readonly #log: Logger;
  readonly #lookIntervalMs: number;
  /** Handed out to this worker and not given back. */
  readonly #held = new Set<string>();
  /** Handed out to nobody, as far as the last look could tell. */
  #suspects = new Set<string>();
  #lookTimer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | null = null;

  constructor({ redis, timing, name, concurrency, run, log }: LaneOptions) {
    this.#log = log;
    this.#lookIntervalMs = timing.heartbeatIntervalMs;
    this.#queue = new Queue(name, { connection: redis, prefix: keyPrefix, skipVersionCheck: true });
    this.#queue.on('error', () => {});
    const options: WorkerOptions = {
      connection: redis,
      prefix: keyPrefix,
      autorun: false,
      concurrency,
      skipStalledCheck: true,
      skipLockRenewal: true,
      skipVersionCheck: true,
      lockDuration: 86_400_000,
      drainDelay: timing.drainDelayMs / 1000,
      runRetryDelay: retryMs,
    };
    this.#worker = new Worker(name, (job, token) => this.#process(job, token ?? '', run), options);
    this.#worker.on('error', (error) => log.debug({ err: error }, 'command worker'));
    this.#worker.on('completed', ({ id = '' }) => this.#held.delete(id));
    this.#worker.on('failed', (job, error) => {
      this.#held.delete(job?.id ?? '');
      log.error({ jobId: job?.id, err: error }, 'command failed');
    });
  }

  /** `'0'` skips the lock of the owner that is gone; the newest first, so that the oldest ends in front. */
  async start(): Promise<void> {
    for (const job of (await this.#queue.getActive()).sort((a, b) => b.timestamp - a.timestamp)) {
      await job.moveToWait('0');
    }
    void this.#worker.run().catch((error) => this.#log.error({ err: error }, 'command worker ended'));
    this.#lookTimer = setInterval(() => this.#look(), this.#lookIntervalMs);
  }

  /** One look at a time: those that an outage held up would come back at once, and tell of one moment. */
  #look(): void {
    this.#looking ??= this.#putBackLost()
      .catch((error) => this.#log.debug({ err: error }, 'no look for lost commands'))
      .finally(() => {
        this.#looking = null;
      });
  }

  /**
   * A command whose way to this worker was cut is active for Redis and unknown here: nobody would ever carry it out.
   * What two looks in a row find so goes back to the front.
   */
  async #putBackLost(): Promise<void> {
    const unheld = (await this.#queue.getActive()).filter(({ id = '' }) => !this.#held.has(id));
    for (const job of unheld.filter(({ id = '' }) => this.#suspects.has(id))) {
      this.#log.warn({ jobId: job.id }, 'a command was lost on its way here; taking it again');
      await job.moveToWait('0');
    }
    this.#suspects = new Set(unheld.map(({ id = '' }) => id));
  }

  async drained(): Promise<void> {
    for (;;) {
      const { waiting = 0, active = 0 } = await this.#queue.getJobCounts('waiting', 'active');
      if (waiting + active === 0) return;
      await pause(50);
    }
  }

  /** Bounded: without Redis BullMQ closes only once Redis is back, and nobody shall wait for that. */
  async close(): Promise<void> {
    clearInterval(this.#lookTimer);
    await withDeadline(this.#worker.close(), 3_000, 'redis').catch(() => undefined);
    await withDeadline(this.#queue.close(), 1_000, 'redis').catch(() => undefined);
  }

  async #process(job: Job, token: string, run: (job: Job) => Promise<unknown>): Promise<unknown> {
    this.#held.add(job.id ?? '');
    const outcome = await run(job);
    if (outcome !== null) return outcome;
    this.#held.delete(job.id ?? '');
    await withDeadline(job.moveToWait(token), 3_000, 'redis').catch((error) =>
      this.#log.debug({ jobId: job.id, reason: messageOf(error) }, 'command not given back'),
    );
    throw new WaitingError();
  }
}
