import { setMaxListeners } from 'node:events';
import type { Job } from 'bullmq';
import { bounds } from '../../contract/bounds.js';
import {
  type ReadJob,
  type ReadReturn,
  readJobSchema,
  settledReadAgeS,
  settledSendAgeS,
} from '../../contract/command-jobs.js';
import { HoldlineError } from '../../contract/errors.js';
import { attemptKey, readJobKey } from '../../contract/keys.js';
import { readsQueue, sendsQueue } from '../../contract/names.js';
import type { Timing } from '../../contract/timing.js';
import { pause } from '../../platform/deadline.js';
import { insist } from '../../platform/insist.js';
import { redisTimeMs } from '../../platform/redis/connection.js';
import { luaScript } from '../../platform/redis/lua-script.js';
import { copyAside, textOf } from '../../platform/redis/set-aside.js';
import { storeAnswer } from '../../platform/store/read-answers.js';
import { QueueConsumer, type QueueLook } from './queue-consumer.js';
import { QueueNotifier } from './queue-notifier.js';
import { runRead } from './run-read.js';
import { SessionSends, type SessionSendsOptions } from './session-sends.js';

interface SessionCommandsOptions extends SessionSendsOptions {
  readonly timing: Timing;
}

const readsAtOnce = 4;

/** A send is told of for so long by whatever clock it is asked. */
const graceMs = 60_000;

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
  readonly #reads: QueueConsumer;
  readonly #sends: QueueConsumer;
  readonly #watch: QueueNotifier;
  #closed: Promise<void> | null = null;

  constructor(options: SessionCommandsOptions) {
    this.#options = options;
    // Each command that is under way listens.
    setMaxListeners(0, this.#ending.signal);
    const sends = new SessionSends(options, this.#ending.signal);
    this.#reads = new QueueConsumer({
      ...options,
      name: readsQueue(options.session),
      hasRoom: (underWay) => underWay < readsAtOnce,
      keptMs: settledReadAgeS * 1_000,
      run: (job) => this.#read(job),
    });
    this.#sends = new QueueConsumer({
      ...options,
      name: sendsQueue(options.session),
      hasRoom: () => sends.hasRoom,
      keptMs: settledSendAgeS * 1_000 + graceMs,
      onKept: (count) => {
        if (count >= bounds.settledSends) options.recorder.onBound('settledSends');
      },
      spareKey: (jobId) => attemptKey(options.session, jobId),
      run: (job) => sends.run(job),
    });
    this.#watch = new QueueNotifier({ ...options, lanes: [this.#reads, this.#sends] });
  }

  /**
   * Takes commands until {@link close}. Insists where Redis refuses, for a session that took none would be deaf until its run
   * ends; rejects only once it is closed.
   */
  async start(): Promise<void> {
    const sentence = 'redis refused a look at the commands; none is taken yet, trying again';
    const [reads, sends] = await this.#insist(() => this.#look(), sentence);
    await Promise.all([this.#reads.start(reads.active), this.#sends.start(sends.active)]);
    this.#watch.start();
    await this.#lookForLost();
  }

  /** After a logout: the sends that wait are void, and each settles as such; for `limitMs` at most. */
  async settleVoided(limitMs: number): Promise<void> {
    this.#options.availability.notify();
    await this.#sends.drained(AbortSignal.any([this.#ending.signal, AbortSignal.timeout(limitMs)]));
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

  async #read(job: Job): Promise<ReadReturn | null> {
    const { success, data: read } = readJobSchema.safeParse(job.data);
    if (!success) {
      await copyAside(this.#options.redis, readJobKey(this.#options.session, job.id ?? ''), textOf(job.data));
      throw new HoldlineError('unreadable', 'the data of a read cannot be read');
    }
    const outcome = await this.#carryOut(read, job.id ?? '').catch((error: unknown) => {
      if (!this.#ending.signal.aborted) throw error;
      return null;
    });
    if (outcome === null) return null;
    const { operation, requestId } = read;
    const said = 'stored' in outcome || outcome.ok ? 'ok' : outcome.error.code;
    this.#options.recorder.commandSettles(operation, said, job.timestamp);
    this.#options.log.debug({ requestId, jobId: job.id, operation, outcome: said }, 'read settled');
    return outcome;
  }

  async #carryOut(read: ReadJob, jobId: string): Promise<ReadReturn | null> {
    const { redis, availability } = this.#options;
    const sentence = 'redis refused a step of a read; trying again';
    const patienceMs = read.notAfter - (await this.#insist(() => redisTimeMs(redis), sentence));
    const told = await runRead(read, availability, this.#ending.signal, patienceMs);
    if (told === null || !told.ok || !read.fetchesAnswer) return told;
    return this.#insist(() => this.#store(jobId, told.output), sentence);
  }

  /** Rejects only once the run ends here. */
  #insist<T>(attempt: () => Promise<T>, sentence: string): Promise<T> {
    return insist(attempt, { signal: this.#ending.signal, log: this.#options.log, sentence });
  }

  async #store(jobId: string, output: unknown): Promise<ReadReturn> {
    const { redis, session, recorder } = this.#options;
    // What the session worker did not answer is answered all the same.
    const result = await storeAnswer(redis, session, jobId, JSON.stringify(output) ?? 'null');
    if (result !== 'full') return { stored: true };
    recorder.onBound('readAnswers');
    const message = `answers of ${bounds.readAnswers} bytes wait to be fetched, as much as may; try again`;
    return { ok: false, error: { code: 'rate_limited', message } };
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
