import { randomUUID } from 'node:crypto';
import { type Job, type Queue, Worker, type WorkerOptions } from 'bullmq';
import { messageOf } from '../../contract/errors.js';
import { cutText } from '../../contract/json-size.js';
import { keyPrefix } from '../../contract/keys.js';
import { isParseError } from '../../platform/data-errors.js';
import { type Deferred, deferred, pause, unlessAborted, withDeadline } from '../../platform/deadline.js';
import type { Logger } from '../../platform/logger.js';
import { openQueue } from '../../platform/queues/job-queue.js';
import { type Redis, reconnectEvents } from '../../platform/redis/connection.js';
import { redisRetryMs } from '../../platform/retry.js';
import { withoutBlockingConnection } from '../worker-backend.js';
import {
  type CommandQueue,
  quarantineIfWrongType,
  type RunLock,
  repairAfter,
  requeueActive,
} from './queue-repair.js';
import { expireSettled, type Retention } from './settled-jobs.js';

interface QueueConsumerOptions extends Retention {
  readonly redis: Redis;
  readonly name: string;
  /** Whether another job may be taken while `underWay` jobs run. Called again when one of them ends. */
  readonly hasRoom: (underWay: number) => boolean;
  /** Called in the order of the queue. null: the job is not settled, and goes back to the queue for the next owner. */
  readonly run: (job: Job) => Promise<unknown>;
  readonly lock: RunLock;
  /** Whether this run has its session still, as far as it knows. If not, no job is taken. */
  readonly isHeld: () => boolean;
  readonly log: Logger;
}

const failureReasonMaxBytes = 1_024;
const drainCheckMs = 100;

interface TakenJob {
  readonly job: Job;
  readonly token: string;
}

/** The lists of a queue at one moment. */
export interface QueueState {
  /** Ids of the jobs that are handed out, the newest first. */
  readonly active: readonly string[];
  readonly waiting: number;
}

/**
 * Takes the jobs of one queue of commands one after another, and runs them side by side. BullMQ's own loop is not used:
 * it starts jobs that it fetched at the same time in any order.
 */
export class QueueConsumer {
  readonly #options: QueueConsumerOptions;
  readonly #queue: Queue;
  readonly #worker: Worker;
  readonly #commandQueue: CommandQueue;
  readonly #closing = new AbortController();
  /** By job id. Each promise settles once the job is over; none rejects. */
  readonly #underWay = new Map<string, Promise<void>>();
  /** A job may be active in Redis that is not under way here: the previous owner's, or one that was lost on its way. */
  #isAnyLost = true;
  /** The active jobs of the previous owner were requeued. */
  #hasBegun = false;
  readonly #onReconnect = () => {
    this.#isAnyLost = true;
    this.wake();
  };
  #taking: Promise<void> = Promise.resolve();
  #woken: Deferred<void> = deferred();
  #oneOver: Deferred<void> = deferred();

  constructor(options: QueueConsumerOptions) {
    const { redis, name, log } = options;
    this.#options = options;
    this.#queue = openQueue(name, redis);
    this.#commandQueue = { queue: this.#queue, redis, log };
    const workerOptions: WorkerOptions = {
      connection: redis,
      prefix: keyPrefix,
      autorun: false,
      skipStalledCheck: true,
      skipLockRenewal: true,
      skipVersionCheck: true,
      lockDuration: 86_400_000,
    };
    this.#worker = new Worker(name, null, workerOptions, withoutBlockingConnection);
    this.#worker.on('error', (error) => log.debug({ err: error }, 'command worker'));
    for (const event of reconnectEvents) redis.on(event, this.#onReconnect);
  }

  get activeKey(): string {
    return this.#queue.toKey('active');
  }

  get waitKey(): string {
    return this.#queue.toKey('wait');
  }

  /** BullMQ sets this key when a job is added to the queue. */
  get markerKey(): string {
    return this.#queue.toKey('marker');
  }

  /** There may be a job to take. */
  wake(): void {
    this.#woken.resolve();
  }

  /** Requeues the active jobs of the previous owner in their order, then takes jobs until {@link close}. */
  start(): void {
    // Not awaited: it ends with the consumer and retries what Redis refuses.
    if (!this.#closing.signal.aborted) this.#taking = this.#take();
  }

  /** For jobs that were lost on the way here, and for markers that another reader took. Call it from time to time. */
  look({ active, waiting }: QueueState): void {
    // One that is being taken right now is under way before anything is requeued.
    if (active.some((id) => !this.#underWay.has(id))) this.#isAnyLost = true;
    if (waiting > 0 || this.#isAnyLost) this.wake();
  }

  /** Resolves when no job waits or is active, or when `signal` aborts. */
  async drained(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const counting = this.#queue.getJobCounts('waiting', 'active');
      // Without an answer from Redis the queue is not known to be empty.
      const counts = await unlessAborted(counting, signal).catch(() => null);
      if (counts !== null && (counts.waiting ?? 0) + (counts.active ?? 0) === 0) return;
      await pause(drainCheckMs, signal);
    }
  }

  /**
   * Takes no more jobs, waits for those under way, and requeues those that did not settle. The caller must make `run` end.
   * Bounded in time: without Redis, BullMQ closes only once Redis is back.
   */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const event of reconnectEvents) this.#options.redis.off(event, this.#onReconnect);
    this.wake();
    await withDeadline(this.#end(), 3_000, 'Redis').catch((error) =>
      this.#options.log.debug({ reason: messageOf(error) }, 'commands not requeued'),
    );
    await withDeadline(this.#queue.close(), 1_000, 'Redis').catch(() => undefined);
  }

  async #end(): Promise<void> {
    const closed = this.#worker.close(true);
    await this.#taking;
    while (this.#underWay.size > 0) await Promise.all(this.#underWay.values());
    // Those of a run that is lost belong to the next owner.
    await this.#requeueActive().catch((error) =>
      this.#options.log.debug({ reason: messageOf(error) }, 'commands not requeued'),
    );
    await closed;
  }

  async #take(): Promise<void> {
    const { hasRoom, isHeld, log } = this.#options;
    const closing = this.#closing.signal;
    while (!closing.aborted) {
      if (!hasRoom(this.#underWay.size)) {
        // One deferred, not a race of all jobs: a race would add a reaction to a hanging job each time.
        this.#oneOver = deferred();
        await this.#oneOver.promise;
        continue;
      }
      const token = randomUUID();
      try {
        const woken = deferred<void>();
        this.#woken = woken;
        if (this.#isAnyLost) {
          this.#isAnyLost = false;
          // Before the next one is taken: it comes later in the queue.
          await this.#requeueActive();
        }
        if (!isHeld()) return;
        const job = await this.#worker.getNextJob(token, { block: false });
        // The connection sends a command again when it is back, so another job may have been taken before this one.
        if (this.#isAnyLost) continue;
        if (job !== undefined) this.#carryOut({ job, token });
        else await woken.promise;
      } catch (error) {
        this.#isAnyLost = true;
        // The text of a parse error may hold data of the job.
        const reason = isParseError(error) ? 'it cannot be read' : messageOf(error);
        log.debug({ reason }, 'no command taken');
        const isHeld = (id: string) => this.#underWay.has(id);
        const isRepaired = await repairAfter(this.#commandQueue, error, isHeld).catch(() => false);
        if (!isRepaired) await pause(redisRetryMs, closing);
      }
    }
  }

  #carryOut(taken: TakenJob): void {
    const id = taken.job.id ?? '';
    const settled = this.#settle(taken)
      // Stays active in Redis and is not under way here: `look` finds it.
      .catch((error) => this.#options.log.debug({ jobId: id, err: error }, 'command not settled'))
      .finally(() => {
        this.#underWay.delete(id);
        this.#oneOver.resolve();
      });
    this.#underWay.set(id, settled);
  }

  /** All that are not under way here. Throws the errors of Redis. */
  async #requeueActive(): Promise<void> {
    const { lock, log } = this.#options;
    const jobIds = await requeueActive(this.#commandQueue, lock, this.#underWay.keys());
    const wereTakenHere = this.#hasBegun && !this.#closing.signal.aborted;
    this.#hasBegun = true;
    if (jobIds.length === 0) return;
    if (wereTakenHere) log.warn({ jobIds }, 'a command was lost on its way here; taking it again');
    else log.debug({ jobIds }, 'commands went back to the front of their queue');
  }

  async #settle({ job, token }: TakenJob): Promise<void> {
    let outcome: unknown;
    try {
      outcome = await this.#options.run(job);
    } catch (error) {
      this.#options.log.error({ jobId: job.id, err: error }, 'command failed');
      // Redis keeps the reason with the job, and an error about its data may be long.
      await job.moveToFailed(new Error(cutText(messageOf(error), failureReasonMaxBytes)), token);
      return expireSettled(this.#commandQueue, job.id ?? '', this.#options);
    }
    if (outcome === null) return;
    await job.moveToCompleted(outcome, token, false).catch(async (error) => {
      // This helps the next jobs. This one cannot be settled now: BullMQ removed its lock before it reached the key.
      await quarantineIfWrongType(this.#commandQueue, error);
      throw error;
    });
    await expireSettled(this.#commandQueue, job.id ?? '', this.#options);
  }
}
