import type { Job } from 'bullmq';
import { type SendJob, type SendOutcome, sendJobSchema } from '../../contract/command-jobs.js';
import { messageOf } from '../../contract/errors.js';
import { sendJobKey } from '../../contract/keys.js';
import type { Fence } from '../../contract/status.js';
import type { Timing } from '../../contract/timing.js';
import { pause } from '../../platform/deadline.js';
import { retryMs } from '../../platform/insist.js';
import type { Logger } from '../../platform/logger.js';
import type { Redis } from '../../platform/redis/connection.js';
import { copyAside, textOf } from '../../platform/redis/set-aside.js';
import {
  readSendRecord,
  recordAttempt,
  recordOutcome,
  replaceUnreadableRecord,
  type SendRecord,
} from '../../platform/store/send-attempts.js';
import type { RunRecorder } from '../metrics/run-recorder.js';
import type { Availability } from './availability.js';
import { LookUps } from './look-ups.js';
import { runSend, unreadableAttempt } from './run-send.js';
import type { SendContext } from './send-attempt.js';
import { SendBatcher } from './send-batcher.js';
import { SendOrder, type SendPlace } from './send-order.js';
import { failed } from './send-outcomes.js';

export interface SessionSendsOptions extends Pick<SendContext, 'wipedEpoch' | 'wid' | 'profileId'> {
  readonly redis: Redis;
  readonly session: string;
  readonly timing: Pick<Timing, 'ackDeadlineMs' | 'sendHungMs'>;
  readonly availability: Availability;
  readonly fence: () => Fence;
  /** Until when the page may act for this run, should the supervisor freeze now (ms, wall clock). */
  readonly actUntil: () => number;
  readonly recorder: Pick<RunRecorder, 'commandSettles' | 'onBound'>;
  readonly log: Logger;
}

/**
 * Most of these wait for those before them in their chats. In memory, so that a chat that hangs does not hold up those
 * behind it in the queue: as many as wait in a queue at most by default, and so many characters of their texts.
 */
const takenMax = 1_000;
const takenCharactersMax = 16_000_000;

/** Carries out a session's sends, those to different chats side by side. */
export class SessionSends {
  readonly #options: SessionSendsOptions;
  readonly #ending: AbortSignal;
  readonly #order: SendOrder;
  readonly #feed: SendBatcher;
  readonly #lookUps: LookUps;
  #taken = 0;
  #takenCharacters = 0;

  constructor(options: SessionSendsOptions, ending: AbortSignal) {
    const { availability, actUntil } = options;
    this.#options = options;
    this.#ending = ending;
    this.#lookUps = new LookUps(() => this.#feed.backlog >= backlogMax);
    this.#feed = new SendBatcher(availability, actUntil, () => this.#lookUps.next());
    this.#order = new SendOrder(availability, (line) => this.#feed.feed(line));
  }

  /** Another one may be taken. */
  get hasRoom(): boolean {
    return this.#taken < takenMax && this.#takenCharacters < takenCharactersMax;
  }

  /**
   * To be called in the order of acceptance. Tried again for as long as the run lives: a Redis that refuses a write must
   * not cost a message. null: the run ends here.
   */
  async run(job: Job): Promise<SendOutcome | null> {
    const { redis, session, log } = this.#options;
    const { success, data: send, error } = sendJobSchema.safeParse(job.data);
    if (!success) {
      const fields = error.issues.map(({ path }) => path.join('.'));
      log.error({ jobId: job.id, fields }, 'the data of a send cannot be read; it is not sent');
      const copied = copyAside(redis, sendJobKey(session, job.id ?? ''), textOf(job.data));
      await copied.catch((reason) => log.warn({ jobId: job.id, err: reason }, 'its data were not set aside'));
      return this.#untilDone(job, () => this.#settleUnread(job));
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
      this.#feed.rests(place);
      place.leave();
    }
  }

  async #untilDone(job: Job, step: () => Promise<SendOutcome | null>): Promise<SendOutcome | null> {
    while (!this.#ending.aborted) {
      try {
        return await step();
      } catch (error) {
        this.#options.log.warn({ jobId: job.id, err: error }, 'a step of a send failed; trying again');
        await pause(retryMs, this.#ending);
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
      feed: this.#feed,
      lookUps: this.#lookUps,
      ackDeadlineMs: timing.ackDeadlineMs,
      sendHungMs: timing.sendHungMs,
      expiresAt: performance.now() + send.notAfter - nowMs,
      recordAttempt: (attempt) =>
        recordAttempt(redis, session, jobId, attempt, { fence: fence(), notAfter: send.notAfter }),
    };
    // Whether the page has it is to be found out anew at each try.
    place.lost();
    // Settled before, but the owner died before the queue knew.
    const outcome = record?.outcome ?? (await runSend(jobId, send, record?.attempt ?? null, context));
    if (outcome !== null) await this.#settle(job, outcome, send.requestId, record);
    return outcome;
  }

  /** Nobody can send what cannot be read; whether a version that could has sent it, its record tells. */
  async #settleUnread(job: Job): Promise<SendOutcome> {
    const { record } = await this.#readRecord(job.id ?? '');
    const unsent = failed('interrupted', 'the job cannot be read, so its message was not sent');
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
    // Not before: without it the message would count as one that nobody has tried to send.
    const isOdd = record?.attempt === 'unreadable';
    await Promise.all([
      isOdd
        ? replaceUnreadableRecord(redis, session, jobId, outcome)
        : recordOutcome(redis, session, jobId, outcome),
      job.updateData({ ...fieldsOf(job.data), message: null }).catch(unlessGone),
    ]);
    const { status } = outcome;
    recorder.commandSettles('send', status, job.timestamp);
    const code = status === 'sent' ? {} : { code: outcome.error.code };
    log.info({ requestId, jobId, status, ...code }, 'send settled');
  }
}

/** Chats whose next message is prepared and waits for room in the page: beyond, nobody else is looked up. */
const backlogMax = 16;

/** Of a job that Redis has lost there is nothing to clear, and trying again would hold up its chat for ever. */
function unlessGone(error: unknown): void {
  if (!/^Missing key for job\b/.test(messageOf(error))) throw error;
}

/** Of whatever stands in the place of a job's data. */
function fieldsOf(data: unknown): object {
  return typeof data === 'object' && data !== null && !Array.isArray(data) ? data : {};
}
