import { setMaxListeners } from 'node:events';
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
import { luaScript } from '../../platform/lua-script.js';
import { type Redis, redisTimeMs } from '../../platform/redis.js';
import { readSendRecord, recordAttempt, recordOutcome } from '../../platform/send-records.js';
import type { RunRecorder } from '../metrics/run-recorder.js';
import type { Availability } from './availability.js';
import { CommandLane, type QueueLook, retryMs } from './command-lane.js';
import { CommandWatch } from './command-watch.js';
import { runRead } from './run-read.js';
import { runSend, type SendContext } from './run-send.js';
import { SendFeed } from './send-feed.js';
import { SendOrder, type SendPlace } from './send-order.js';

interface SessionCommandsOptions extends Pick<SendContext, 'wipedEpoch' | 'wid' | 'profileId'> {
  readonly redis: Redis;
  readonly session: string;
  readonly timing: Timing;
  readonly availability: Availability;
  readonly fence: () => Fence;
  /** Until when the page may act for this run, should the supervisor freeze now (ms, wall clock). */
  readonly actUntil: () => number;
  readonly recorder: Pick<RunRecorder, 'commandSettles'>;
  readonly log: Logger;
}

const readsAtOnce = 4;

/** Most of them wait for WhatsApp's acknowledgement; the page is given one message at a time. */
const sendsAtOnce = 16;

/** In heartbeats: a look for lost commands, and one at what the look before found. */
const beatsBetweenLooks = 3;

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
  readonly #watch: CommandWatch;
  readonly #order: SendOrder;
  readonly #feed: SendFeed;
  #closed: Promise<void> | null = null;

  constructor(options: SessionCommandsOptions) {
    this.#options = options;
    // Each command that is under way listens.
    setMaxListeners(0, this.#ending.signal);
    this.#order = new SendOrder(() => {
      options.availability.notify();
      this.#feed.feed();
    });
    this.#feed = new SendFeed(this.#order, options.availability, options.actUntil);
    const lane = (name: string, atOnce: number, run: (job: Job) => Promise<unknown>) =>
      new CommandLane({ ...options, name, atOnce, run });
    this.#reads = lane(readsQueue(options.session), readsAtOnce, (job) => this.#read(job));
    this.#sends = lane(sendsQueue(options.session), sendsAtOnce, (job) => this.#send(job));
    this.#watch = new CommandWatch({ ...options, lanes: [this.#reads, this.#sends] });
  }

  async start(): Promise<void> {
    const [reads, sends] = await this.#look();
    await Promise.all([this.#reads.start(reads.active), this.#sends.start(sends.active)]);
    this.#watch.start();
    void this.#lookForLost();
  }

  /** After a logout: the sends that wait are void, and each settles as such; for `limitMs` at most. */
  async settleVoided(limitMs: number): Promise<void> {
    this.#options.availability.notify();
    await withDeadline(this.#sends.drained(), limitMs, 'the queue of sends').catch(() => undefined);
  }

  /** Takes nothing any more and gives back what is not settled. Resolves when no command is under way. */
  close(): Promise<void> {
    this.#ending.abort();
    this.#watch.close();
    this.#closed ??= Promise.all([this.#reads.close(), this.#sends.close()]).then(() => undefined);
    return this.#closed;
  }

  /** One look at a time: those that an outage held up would come back at once, and tell of one moment. */
  async #lookForLost(): Promise<void> {
    const ending = this.#ending.signal;
    const beatMs = this.#options.timing.heartbeatIntervalMs;
    let beats = beatsBetweenLooks;
    for (;;) {
      await pause(beats * beatMs, ending);
      if (ending.aborted) return;
      try {
        const [reads, sends] = await this.#look();
        const found = await Promise.all([this.#reads.inspect(reads), this.#sends.inspect(sends)]);
        beats = found.includes(true) ? 1 : beatsBetweenLooks;
      } catch (error) {
        this.#options.log.debug({ err: error }, 'no look for lost commands');
      }
    }
  }

  async #look(): Promise<[reads: QueueLook, sends: QueueLook]> {
    const lanes = [this.#reads, this.#sends];
    const keys = lanes.flatMap(({ activeKey, waitKey }) => [activeKey, waitKey]);
    const [reads, readsWaiting, sends, sendsWaiting] = await lookScript(this.#options.redis, keys, []);
    return [
      { active: reads, waiting: readsWaiting },
      { active: sends, waiting: sendsWaiting },
    ];
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
    const place = this.#order.join();
    try {
      const send = sendJobSchema.parse(job.data);
      while (!ending.aborted) {
        try {
          return await this.#trySend(job, send, place);
        } catch (error) {
          this.#options.log.warn({ jobId: job.id, err: error }, 'a step of a send failed; trying again');
          place.lost();
          await pause(retryMs, ending);
        }
      }
      return null;
    } finally {
      place.leave();
    }
  }

  async #trySend(job: Job, send: SendJob, place: SendPlace): Promise<SendOutcome | null> {
    const { redis, session, fence, availability, timing, wipedEpoch, wid, profileId } = this.#options;
    const jobId = job.id ?? '';
    const { record, nowMs } = await readSendRecord(redis, session, jobId);
    const context: SendContext = {
      availability,
      place,
      ending: this.#ending.signal,
      wipedEpoch,
      wid,
      profileId,
      feed: this.#feed,
      ackDeadlineMs: timing.ackDeadlineMs,
      expiresAt: performance.now() + send.notAfter - nowMs,
      recordAttempt: (attempt) =>
        recordAttempt(redis, session, jobId, attempt, { fence: fence(), notAfter: send.notAfter }),
    };
    // Settled before, but the owner died before the queue knew.
    const outcome = record?.outcome ?? (await runSend(jobId, send, record?.attempt ?? null, context));
    if (outcome === null) return null;
    await Promise.all([
      recordOutcome(redis, session, jobId, outcome),
      job.updateData({ ...job.data, message: null }),
    ]);
    const { status } = outcome;
    this.#options.recorder.commandSettles('send', status, job.timestamp);
    const code = status === 'sent' ? {} : { code: outcome.error.code };
    this.#options.log.info({ requestId: send.requestId, jobId, status, ...code }, 'send settled');
    return outcome;
  }
}

// KEYS active and wait of the one queue, of the other | returns of each the ids of the active, newest first, and how many wait
const lookScript = luaScript<[string[], number, string[], number]>(
  'lookAtCommands',
  4,
  `return {
     redis.call('LRANGE', KEYS[1], 0, -1), redis.call('LLEN', KEYS[2]),
     redis.call('LRANGE', KEYS[3], 0, -1), redis.call('LLEN', KEYS[4]),
   }`,
);
