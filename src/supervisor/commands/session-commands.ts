import { type Job, Queue, WaitingError, Worker, type WorkerOptions } from 'bullmq';
import { messageOf } from '../../contract/errors.js';
import { keyPrefix } from '../../contract/keys.js';
import { readsQueue, sendsQueue } from '../../contract/names.js';
import { readJobSchema, type SendOutcome, sendJobSchema } from '../../contract/send-jobs.js';
import type { Fence } from '../../contract/status.js';
import type { Timing } from '../../contract/timing.js';
import { pause, withDeadline } from '../../platform/deadline.js';
import type { Logger } from '../../platform/logger.js';
import type { Redis } from '../../platform/redis.js';
import { readSendRecord, recordAttempt, recordOutcome } from '../../platform/send-records.js';
import type { Availability } from './availability.js';
import { runRead } from './run-read.js';
import { runSend, type SendContext } from './run-send.js';

interface SessionCommandsOptions extends Pick<SendContext, 'wipedEpoch' | 'wid' | 'profileId' | 'actUntil'> {
  readonly redis: Redis;
  readonly session: string;
  readonly timing: Timing;
  readonly availability: Availability;
  readonly fence: () => Fence;
  readonly log: Logger;
}

/**
 * Consumes a session's queues of commands for as long as its run is here. BullMQ never hands a command out twice by
 * itself: no lock ends and no stalled check runs. What an owner left unfinished is put back by the next owner, in
 * front and in order, and carries the record of its attempt.
 */
export class SessionCommands {
  readonly #options: SessionCommandsOptions;
  readonly #ending = new AbortController();
  readonly #reads: Lane;
  readonly #sends: Lane;
  #closed: Promise<void> | null = null;

  constructor(options: SessionCommandsOptions) {
    this.#options = options;
    const lane = (name: string, concurrency: number, run: (job: Job) => Promise<unknown>) =>
      new Lane({ ...options, name, concurrency, run });
    this.#reads = lane(readsQueue(options.session), 4, (job) =>
      runRead(readJobSchema.parse(job.data), options.availability, this.#ending.signal),
    );
    this.#sends = lane(sendsQueue(options.session), 1, (job) => this.#send(job));
  }

  async start(): Promise<void> {
    await Promise.all([this.#reads.start(), this.#sends.start()]);
  }

  /** After a logout: the sends that wait are void, and each settles as such; for `limitMs` at most. */
  async settleVoided(limitMs: number): Promise<void> {
    this.#options.availability.notify();
    await withDeadline(this.#sends.drained(), limitMs, 'the queue of sends').catch(() => undefined);
  }

  /** Takes nothing any more and gives back what is not settled. Resolves when no command is under way. */
  close(): Promise<void> {
    this.#ending.abort();
    this.#closed ??= Promise.all([this.#reads.close(), this.#sends.close()]).then(() => undefined);
    return this.#closed;
  }

  async #send(job: Job): Promise<SendOutcome | null> {
    const { redis, session, fence, availability, timing, wipedEpoch, wid, profileId, actUntil } =
      this.#options;
    const jobId = job.id ?? '';
    const record = await readSendRecord(redis, session, jobId);
    // Settled before, but the owner died before the queue knew.
    const outcome =
      record?.outcome ??
      (await runSend(jobId, sendJobSchema.parse(job.data), {
        availability,
        ending: this.#ending.signal,
        wipedEpoch,
        wid,
        profileId,
        actUntil,
        ackDeadlineMs: timing.ackDeadlineMs,
        readAttempt: async () => (await readSendRecord(redis, session, jobId))?.attempt ?? null,
        recordAttempt: (attempt, notAfter) =>
          recordAttempt(redis, session, jobId, attempt, { fence: fence(), notAfter }),
      }));
    if (outcome === null) return null;
    await recordOutcome(redis, session, jobId, outcome);
    await job.updateData({ ...job.data, message: null });
    this.#options.log.info({ jobId, status: outcome.status }, 'send settled');
    return outcome;
  }
}

interface LaneOptions {
  readonly redis: Redis;
  readonly timing: Timing;
  readonly name: string;
  readonly concurrency: number;
  /** null: not settled; the job is for the next owner. */
  readonly run: (job: Job) => Promise<unknown>;
  readonly log: Logger;
}

/** One queue of commands and its worker. */
class Lane {
  readonly #queue: Queue;
  readonly #worker: Worker;
  readonly #log: Logger;

  constructor({ redis, timing, name, concurrency, run, log }: LaneOptions) {
    this.#log = log;
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
    };
    this.#worker = new Worker(name, (job, token) => this.#process(job, token ?? '', run), options);
    this.#worker.on('error', (error) => log.debug({ err: error }, 'command worker'));
    this.#worker.on('failed', (job, error) => log.error({ jobId: job?.id, err: error }, 'command failed'));
  }

  /** `'0'` skips the lock of the owner that is gone; the newest first, so that the oldest ends in front. */
  async start(): Promise<void> {
    for (const job of (await this.#queue.getActive()).sort((a, b) => b.timestamp - a.timestamp)) {
      await job.moveToWait('0');
    }
    void this.#worker.run().catch((error) => this.#log.error({ err: error }, 'command worker ended'));
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
    await withDeadline(this.#worker.close(), 3_000, 'redis').catch(() => undefined);
    await withDeadline(this.#queue.close(), 1_000, 'redis').catch(() => undefined);
  }

  async #process(job: Job, token: string, run: (job: Job) => Promise<unknown>): Promise<unknown> {
    const outcome = await run(job);
    if (outcome !== null) return outcome;
    await withDeadline(job.moveToWait(token), 3_000, 'redis').catch((error) =>
      this.#log.debug({ jobId: job.id, reason: messageOf(error) }, 'command not given back'),
    );
    throw new WaitingError();
  }
}
