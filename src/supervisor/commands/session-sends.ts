import type { Job } from 'bullmq';
import { failedSend, type SendJob, type SendOutcome, sendJobSchema } from '../../contract/command-jobs.js';
import { messageOf } from '../../contract/errors.js';
import { sendJobKey } from '../../contract/keys.js';
import type { Fence } from '../../contract/status.js';
import type { Timing } from '../../contract/timing.js';
import { pause } from '../../platform/deadline.js';
import type { Logger } from '../../platform/logger.js';
import type { Redis } from '../../platform/redis/connection.js';
import { quarantineCopy, toJsonText } from '../../platform/redis/quarantine.js';
import { redisRetryMs } from '../../platform/retry.js';
import type { SharedPace } from '../../platform/session-pace.js';
import {
  readSendRecord,
  recordAttempt,
  recordOutcome,
  replaceUnreadableRecord,
  type SendRecord,
} from '../../platform/store/send-attempts.js';
import type { RunRecorder } from '../metrics/run-recorder.js';
import type { Availability } from './availability.js';
import { LookupLimiter } from './lookup-limiter.js';
import { runSend, unreadableAttempt } from './run-send.js';
import type { SendContext } from './send-attempt.js';
import { SendBatcher } from './send-batcher.js';
import { SendOrder, type SendPlace } from './send-order.js';

export interface SessionSendsOptions extends Pick<SendContext, 'wipedEpoch' | 'wid' | 'profileId'> {
  readonly redis: Redis;
  readonly session: string;
  readonly timing: Pick<Timing, 'ackDeadlineMs' | 'sendHungMs'>;
  readonly availability: Availability;
  readonly pace: SharedPace;
  readonly fence: () => Fence;
  /** Until when the page may act for this run if the supervisor freezes now (ms, wall clock). */
  readonly actUntil: () => number;
  readonly recorder: Pick<RunRecorder, 'recordCommand' | 'onBound'>;
  readonly log: Logger;
}

/**
 * Max sends that are taken from the queue into memory, where most wait for their predecessors. Because of them, a chat that
 * hangs does not block the sends behind it in the queue. Equals the default limit of the queue; the texts are limited too.
 */
const takenMax = 1_000;
const takenCharactersMax = 16_000_000;

/** While this many chats have a prepared message and wait for their turn, a recipient is looked up only when one of them has had its turn. */
const backlogMax = 16;

/** Carries out a session's sends, those to different chats side by side. */
export class SessionSends {
  readonly #options: SessionSendsOptions;
  readonly #ending: AbortSignal;
  readonly #order: SendOrder;
  readonly #batcher: SendBatcher;
  readonly #lookups: LookupLimiter;
  #taken = 0;
  #takenCharacters = 0;

  constructor(options: SessionSendsOptions, ending: AbortSignal) {
    const { availability, actUntil, pace } = options;
    this.#options = options;
    this.#ending = ending;
    this.#lookups = new LookupLimiter(() => this.#batcher.backlog >= backlogMax);
    this.#batcher = new SendBatcher({
      ...{ availability, actUntil, pace, ending },
      onRoom: () => this.#lookups.startNext(),
      onHandOver: () => this.#lookups.startOne(),
    });
    this.#order = new SendOrder(availability, (chat) => this.#batcher.dispatch(chat));
  }

  /** Another send may be taken. */
  get hasRoom(): boolean {
    return this.#taken < takenMax && this.#takenCharacters < takenCharactersMax;
  }

  /**
   * Must be called in the order of acceptance. Retries while the run lives: a write that Redis refuses must not lose a
   * message. null: this run is ending.
   */
  async run(job: Job): Promise<SendOutcome | null> {
    const { redis, session, log } = this.#options;
    const { success, data: send, error } = sendJobSchema.safeParse(job.data);
    if (!success) {
      const fields = error.issues.map(({ path }) => path.join('.'));
      log.error({ jobId: job.id, fields }, 'the data of a send cannot be read; it is not sent');
      const copied = quarantineCopy(redis, sendJobKey(session, job.id ?? ''), toJsonText(job.data));
      await copied.catch((reason) =>
        log.warn(
          { jobId: job.id, err: reason },
          'could not copy the data of an unreadable send to quarantine',
        ),
      );
      return this.#untilDone(job, () => this.#settleUnreadable(job));
    }
    const characters = send.message?.length ?? 0;
    const place = this.#order.join(send);
    this.#taken++;
    this.#takenCharacters += characters;
    try {
      return await this.#untilDone(job, () => this.#try(job, send, place));
    } finally {
      this.#taken--;
      this.#takenCharacters -= characters;
      this.#batcher.release(place);
      place.leave();
    }
  }

  async #untilDone(job: Job, step: () => Promise<SendOutcome | null>): Promise<SendOutcome | null> {
    for (let isFirst = true; !this.#ending.aborted; isFirst = false) {
      try {
        return await step();
      } catch (error) {
        const level = isFirst ? 'warn' : 'debug';
        this.#options.log[level]({ jobId: job.id, err: error }, 'a step of a send failed; trying again');
        await pause(redisRetryMs, this.#ending);
      }
    }
    return null;
  }

  async #try(job: Job, send: SendJob, place: SendPlace): Promise<SendOutcome | null> {
    const { redis, session, fence, availability, timing, wipedEpoch, wid, profileId } = this.#options;
    const jobId = job.id ?? '';
    const { record, nowMs } = await this.#readRecord(jobId);
    const context: SendContext = {
      availability,
      place,
      ending: this.#ending,
      wipedEpoch,
      wid,
      profileId,
      batcher: this.#batcher,
      lookups: this.#lookups,
      ackDeadlineMs: timing.ackDeadlineMs,
      sendHungMs: timing.sendHungMs,
      expiresAt: performance.now() + send.notAfter - nowMs,
      recordAttempt: (attempt) =>
        recordAttempt(redis, session, jobId, attempt, { fence: fence(), notAfter: send.notAfter }),
    };
    // Each try must find out again whether the page has the message.
    place.unmarkInPage();
    // A record with an outcome: an owner settled the send, but died before it completed the job.
    const outcome = record?.outcome ?? (await runSend(jobId, send, record?.attempt ?? null, context));
    if (outcome !== null) await this.#settle(job, outcome, send.requestId, record);
    return outcome;
  }

  /** Settles a send whose data cannot be read. Another version may have read and sent it: the record shows that. */
  async #settleUnreadable(job: Job): Promise<SendOutcome> {
    const { record } = await this.#readRecord(job.id ?? '');
    const unsent = failedSend('interrupted', 'the job cannot be read, so its message was not sent');
    const outcome = record?.outcome ?? (record?.attempt ? unreadableAttempt : unsent);
    await this.#settle(job, outcome, null, record);
    return outcome;
  }

  async #readRecord(jobId: string): Promise<{ readonly record: SendRecord | null; readonly nowMs: number }> {
    const { redis, session, log } = this.#options;
    const read = await readSendRecord(redis, session, jobId);
    if (read.record?.attempt === 'unreadable') log.error({ jobId }, 'the record of a send cannot be read');
    return read;
  }

  async #settle(
    job: Job,
    outcome: SendOutcome,
    requestId: string | null,
    record: SendRecord | null,
  ): Promise<void> {
    const { redis, session, recorder, log } = this.#options;
    const jobId = job.id ?? '';
    // Replaced only now: without the record the send would look as if it was never attempted.
    const isUnreadable = record?.attempt === 'unreadable';
    await Promise.all([
      isUnreadable
        ? replaceUnreadableRecord(redis, session, jobId, outcome)
        : recordOutcome(redis, session, jobId, outcome),
      job.updateData({ ...fieldsOf(job.data), message: null }).catch(unlessGone),
    ]);
    const { status } = outcome;
    recorder.recordCommand('send', status, job.timestamp);
    const code = status === 'sent' ? {} : { code: outcome.error.code };
    log.info({ requestId, jobId, status, ...code }, 'send settled');
  }
}

/** Ignores that Redis has lost the job: there is nothing to clear, and retries would block its chat forever. */
function unlessGone(error: unknown): void {
  if (!/^Missing key for job\b/.test(messageOf(error))) throw error;
}

/** The fields of a job's data, which can be any value. */
function fieldsOf(data: unknown): object {
  return typeof data === 'object' && data !== null && !Array.isArray(data) ? data : {};
}
