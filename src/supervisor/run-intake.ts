import { type Job, Worker, type WorkerOptions } from 'bullmq';
import { messageOf } from '../contract/errors.js';
import { keyPrefix } from '../contract/keys.js';
import { sessionsQueue } from '../contract/names.js';
import type { Timing } from '../contract/timing.js';
import { isDataError } from '../platform/data-errors.js';
import { pause } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';
import type { Redis } from '../platform/redis/connection.js';
import { redisRetryMs } from '../platform/retry.js';

interface IntakeOptions {
  readonly redis: Redis;
  readonly timing: Pick<Timing, 'lockDurationMs' | 'stalledIntervalMs' | 'drainDelayMs'>;
  readonly concurrency: number;
  /** Runs one session until its run ends. */
  readonly process: (job: Job, token: string) => Promise<void>;
  /** Data in the queue cannot be used. Without a repair it would fail again and again. */
  readonly onDataError: () => void;
  readonly log: Logger;
}

/** BullMQ's worker for the queue of runs. It does not renew locks: each run's lease does. */
export class RunIntake {
  readonly #worker: PacedWorker;
  readonly #log: Logger;
  readonly #closing = new AbortController();

  constructor({ redis, timing, concurrency, process, onDataError, log }: IntakeOptions) {
    this.#log = log;
    const options: WorkerOptions = {
      connection: redis,
      prefix: keyPrefix,
      autorun: false,
      concurrency,
      lockDuration: timing.lockDurationMs,
      stalledInterval: timing.stalledIntervalMs,
      drainDelay: timing.drainDelayMs / 1000,
      skipLockRenewal: true,
      // The check is an INFO command. If it failed during an outage, the worker would be disabled for good.
      skipVersionCheck: true,
      // BullMQ's default of 15 s would lengthen each outage.
      runRetryDelay: timing.stalledIntervalMs,
      maxStalledCount: Number.MAX_SAFE_INTEGER,
    };
    this.#worker = new PacedWorker(this.#closing.signal, (job, token) => process(job, token ?? ''), options);
    this.#worker.on('error', (error) => {
      log.debug({ err: error }, 'queue worker');
      if (isDataError(error)) onDataError();
    });
    this.#worker.on('failed', (job, error) =>
      log.error({ jobId: job?.id, err: error }, 'the session failed unexpectedly; starting it again'),
    );
  }

  /** Takes runs until {@link close}; restarts BullMQ's loop when that ends by itself. Never rejects. */
  async run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        await this.#worker.run();
      } catch (error) {
        this.#log.error({ error: messageOf(error) }, 'queue worker ended; starting it again');
      }
      await pause(redisRetryMs, this.#closing.signal);
    }
  }

  /** Takes no more runs; resolves when all are over. */
  close(): Promise<void> {
    this.#closing.abort();
    return this.#worker.close();
  }
}

/** Pauses between attempts: BullMQ's own loop asks again at once when Redis refuses to hand out a job. */
class PacedWorker extends Worker {
  readonly #closing: AbortSignal;

  constructor(
    closing: AbortSignal,
    process: (job: Job, token?: string) => Promise<void>,
    options: WorkerOptions,
  ) {
    super(sessionsQueue, process, options);
    this.#closing = closing;
  }

  /** Between two attempts of the blocking read, BullMQ calls this without a signal, and would wait only a tenth of a second. */
  override delay(...[ms, aborting]: Parameters<Worker['delay']>): Promise<void> {
    return aborting === undefined ? pause(ms ?? redisRetryMs, this.#closing) : super.delay(ms, aborting);
  }

  protected override async moveToActive(token: string, name?: string): Promise<Job> {
    try {
      return await super.moveToActive(token, name);
    } catch (error) {
      await pause(redisRetryMs, this.#closing);
      throw error;
    }
  }
}
