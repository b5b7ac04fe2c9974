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
  /** The life of one run. */
  readonly process: (job: Job, token: string) => Promise<void>;
  /** Something in the queue cannot be used, and must not be looked at again and again. */
  readonly onOdd: () => void;
  readonly log: Logger;
}

/** BullMQ's worker as the queue of runs needs it: holding on to a job is the lease's part. */
export class RunIntake {
  readonly #worker: PacedWorker;
  readonly #log: Logger;
  readonly #closing = new AbortController();

  constructor({ redis, timing, concurrency, process, onOdd, log }: IntakeOptions) {
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
      // The check is an INFO whose failure, in an outage at the wrong moment, would disable the worker for good.
      skipVersionCheck: true,
      // BullMQ's own 15 s would be added to each outage.
      runRetryDelay: timing.stalledIntervalMs,
      maxStalledCount: Number.MAX_SAFE_INTEGER,
    };
    this.#worker = new PacedWorker(this.#closing.signal, (job, token) => process(job, token ?? ''), options);
    this.#worker.on('error', (error) => {
      log.debug({ err: error }, 'queue worker');
      if (isDataError(error)) onOdd();
    });
    this.#worker.on('failed', (job, error) =>
      log.error({ jobId: job?.id, err: error }, 'run failed; it will be tried again'),
    );
  }

  /** Takes runs until {@link close}; a loop that ends by itself is begun again. Never rejects. */
  async run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        await this.#worker.run();
      } catch (error) {
        this.#log.error({ error: messageOf(error) }, 'the queue worker ended; beginning anew');
      }
      await pause(redisRetryMs, this.#closing.signal);
    }
  }

  /** Takes no run from now on; resolves when all are over. */
  close(): Promise<void> {
    this.#closing.abort();
    return this.#worker.close();
  }
}

/** BullMQ's own loop asks again at once where Redis refuses to hand a job out, as fast as Redis answers. */
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

  /** Between two tries of its blocking read BullMQ waits a tenth of a second. */
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
