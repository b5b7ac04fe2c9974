import { type Job, Worker, type WorkerOptions } from 'bullmq';
import { messageOf } from '../contract/errors.js';
import { keyPrefix } from '../contract/keys.js';
import { sessionsQueue } from '../contract/names.js';
import type { Timing } from '../contract/timing.js';
import { isDataError } from '../platform/data-errors.js';
import { pause } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';
import { passOnWakeUp, type WaitingStarts } from '../platform/queues/start-queue.js';
import type { Redis } from '../platform/redis/connection.js';
import { redisRetryMs } from '../platform/retry.js';
import type { QueueMarkers } from './queue-markers.js';
import { StartMarker } from './start-marker.js';
import { StartPermits } from './start-permits.js';

interface IntakeOptions {
  readonly redis: Redis;
  readonly markers: QueueMarkers;
  readonly timing: Pick<Timing, 'lockDurationMs' | 'stalledIntervalMs' | 'drainDelayMs'>;
  /** Max runs at a time. */
  readonly concurrency: number;
  /** Max starts under way. While there are as many, the next one stays in the queue, for other supervisors. */
  readonly maxStarts: number;
  /** Another number of starts is possible at once. */
  readonly onStartsChanged: () => void;
  /** Runs one session until its run ends. Calls `onStarted` when its start is over. */
  readonly process: (job: Job, token: string, onStarted: () => void) => Promise<void>;
  /** Data in the queue cannot be used. Without a repair it would fail again and again. */
  readonly onDataError: () => void;
  readonly log: Logger;
}

/** BullMQ's worker for the queue of runs. It does not renew locks: each run's lease does. */
export class RunIntake {
  readonly #worker: PacedWorker;
  readonly #permits: StartPermits;
  readonly #log: Logger;
  readonly #closing = new AbortController();

  constructor(intake: IntakeOptions) {
    const { redis, markers, timing, concurrency, process, onDataError, log } = intake;
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
    const permits = new StartPermits(intake.maxStarts, intake.onStartsChanged);
    this.#permits = permits;
    this.#worker = new PacedWorker(
      {
        ...{ closing: this.#closing.signal, permits, marker: new StartMarker(markers) },
        passOn: () => passOnWakeUp(redis),
      },
      (job, token = '') => process(job, token, () => permits.release(token)),
      options,
    );
    this.#worker.on('error', (error) => {
      log.debug({ err: error }, 'queue worker');
      if (isDataError(error)) onDataError();
    });
    this.#worker.on('failed', (job, error) =>
      log.error({ jobId: job?.id, err: error }, 'the session failed unexpectedly; starting it again'),
    );
  }

  /** How many runs it can start at once. */
  get freeStarts(): number {
    return this.#permits.free;
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

interface Pacing {
  readonly closing: AbortSignal;
  /** By the tokens of the jobs. */
  readonly permits: StartPermits;
  readonly marker: StartMarker;
  /** Wakes another supervisor too. Resolves to what waits; null: nothing. */
  readonly passOn: () => Promise<WaitingStarts | null>;
}

/** How long a start is left to others: by a supervisor with few runs, and by one that is almost full. One without a run takes it at once. */
const spreadMs = { min: 10, max: 100 };

/**
 * Takes a job only with a permit for its start, and one at a time. After each job BullMQ asks for the next one without a blocking
 * read: there this waits for the permit. So it never reads markers without a permit, where it would take the wake-up of a start
 * that another supervisor could take at once.
 *
 * Also leaves each start for a moment to supervisors with more room: the longer, the fuller it is itself. If several wait after that, the
 * others do not keep up, and it takes one.
 *
 * Also pauses after a refusal: BullMQ's own loop would ask again at once.
 */
class PacedWorker extends Worker {
  readonly #pacing: Pacing;
  /** A job was taken, and its processing has not begun. */
  #isTaken = false;
  #running = 0;

  constructor(pacing: Pacing, process: (job: Job, token?: string) => Promise<void>, options: WorkerOptions) {
    super(sessionsQueue, process, options, pacing.marker.backend);
    this.#pacing = pacing;
  }

  /** BullMQ would take the next job together with the end of this one. */
  override async processJob(...[job, token]: Parameters<Worker['processJob']>) {
    this.#isTaken = false;
    this.#running++;
    try {
      return await super.processJob(job, token, () => false);
    } finally {
      this.#running--;
      this.#pacing.permits.release(token);
    }
  }

  /** Resolves when the next start has had its time, when several wait after the time of one, or when none waits. */
  async #leaveToOthers(): Promise<void> {
    const { closing, passOn } = this.#pacing;
    const load = this.#running / this.concurrency;
    let waiting = await passOn();
    while (waiting !== null && !closing.aborted) {
      await pause(spreadMs.min + (spreadMs.max - spreadMs.min) * load, closing);
      const left = waiting.next;
      waiting = await passOn();
      if (waiting !== null && (waiting.next === left || waiting.count > 1)) return;
    }
  }

  protected override async moveToActive(token: string, name?: string): Promise<Job> {
    const { closing, permits } = this.#pacing;
    // BullMQ would take as many jobs as it may before it processes the first.
    if (this.#isTaken) return none;
    await permits.untilAnyFree(closing);
    if (closing.aborted) return none;
    try {
      if (this.#running > 0) await this.#leaveToOthers();
      if (closing.aborted) return none;
      const job = await super.moveToActive(token, name);
      if (job !== none) {
        this.#isTaken = true;
        permits.take(token);
      }
      return job;
    } catch (error) {
      await pause(redisRetryMs, closing);
      throw error;
    }
  }
}

/** What BullMQ returns if there is no job, although its type does not say so. */
const none = undefined as unknown as Job;
