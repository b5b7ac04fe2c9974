import type { Job } from 'bullmq';
import { readsQueue, sendsQueue } from '../../contract/names.js';
import {
  type ReadOutcome,
  readJobSchema,
  type SendJob,
  type SendOutcome,
  sendJobSchema,
} from '../../contract/send-jobs.js';
import type { Fence } from '../../contract/status.js';
import type { Timing } from '../../contract/timing.js';
import { pause, withDeadline } from '../../platform/deadline.js';
import type { Logger } from '../../platform/logger.js';
import { type Redis, redisTimeMs } from '../../platform/redis.js';
import { readSendRecord, recordAttempt, recordOutcome } from '../../platform/send-records.js';
import type { RunRecorder } from '../metrics/run-recorder.js';
import type { Availability } from './availability.js';
import { CommandLane, retryMs } from './command-lane.js';
import { runRead } from './run-read.js';
import { runSend, type SendContext } from './run-send.js';

interface SessionCommandsOptions extends Pick<SendContext, 'wipedEpoch' | 'wid' | 'profileId' | 'actUntil'> {
  readonly redis: Redis;
  readonly session: string;
  readonly timing: Timing;
  readonly availability: Availability;
  readonly fence: () => Fence;
  readonly recorder: Pick<RunRecorder, 'commandSettles'>;
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
  readonly #reads: CommandLane;
  readonly #sends: CommandLane;
  #closed: Promise<void> | null = null;

  constructor(options: SessionCommandsOptions) {
    this.#options = options;
    const lane = (name: string, concurrency: number, run: (job: Job) => Promise<unknown>) =>
      new CommandLane({ ...options, name, concurrency, run });
    this.#reads = lane(readsQueue(options.session), 4, (job) => this.#read(job));
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

  async #read(job: Job): Promise<ReadOutcome | null> {
    const read = readJobSchema.parse(job.data);
    const patienceMs = read.notAfter - (await redisTimeMs(this.#options.redis));
    const outcome = await runRead(read, this.#options.availability, this.#ending.signal, patienceMs);
    if (outcome === null) return null;
    const { operation, requestId } = read;
    const said = outcome.ok ? 'ok' : outcome.error.code;
    this.#options.recorder.commandSettles(operation, said, job.timestamp);
    this.#options.log.debug({ requestId, jobId: job.id, operation, outcome: said }, 'read settled');
    return outcome;
  }

  /** Tried again for as long as the run lives: a Redis that refuses a write must not cost a message. */
  async #send(job: Job): Promise<SendOutcome | null> {
    const ending = this.#ending.signal;
    const send = sendJobSchema.parse(job.data);
    while (!ending.aborted) {
      try {
        return await this.#trySend(job, send);
      } catch (error) {
        this.#options.log.warn({ jobId: job.id, err: error }, 'a step of a send failed; trying again');
        await pause(retryMs, ending);
      }
    }
    return null;
  }

  async #trySend(job: Job, send: SendJob): Promise<SendOutcome | null> {
    const { redis, session, fence, availability, timing, wipedEpoch, wid, profileId, actUntil } =
      this.#options;
    const jobId = job.id ?? '';
    const { record } = await readSendRecord(redis, session, jobId);
    // Settled before, but the owner died before the queue knew.
    const outcome =
      record?.outcome ??
      (await runSend(jobId, send, {
        availability,
        ending: this.#ending.signal,
        wipedEpoch,
        wid,
        profileId,
        actUntil,
        ackDeadlineMs: timing.ackDeadlineMs,
        readAttempt: async () => {
          const { record: latest, nowMs } = await readSendRecord(redis, session, jobId);
          return { attempt: latest?.attempt ?? null, nowMs };
        },
        recordAttempt: (attempt, notAfter) =>
          recordAttempt(redis, session, jobId, attempt, { fence: fence(), notAfter }),
      }));
    if (outcome === null) return null;
    await recordOutcome(redis, session, jobId, outcome);
    await job.updateData({ ...job.data, message: null });
    const { status } = outcome;
    this.#options.recorder.commandSettles('send', status, job.timestamp);
    const code = status === 'sent' ? {} : { code: outcome.error.code };
    this.#options.log.info({ requestId: send.requestId, jobId, status, ...code }, 'send settled');
    return outcome;
  }
}
