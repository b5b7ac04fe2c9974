import { randomUUID } from 'node:crypto';
import { type Job, type Queue, Worker, type WorkerOptions } from 'bullmq';
import { messageOf } from '../../contract/errors.js';
import { cutText } from '../../contract/json-size.js';
import { keyPrefix } from '../../contract/keys.js';
import { isParseError } from '../../platform/data-errors.js';
import { type Deferred, deferred, pause, unlessAborted, withDeadline } from '../../platform/deadline.js';
import type { Logger } from '../../platform/logger.js';
import { openQueue } from '../../platform/queues/job-queue.js';
import type { Redis } from '../../platform/redis/connection.js';
import { redisRetryMs, retryUntilSuccess } from '../../platform/retry.js';
import { withoutBlockingConnection } from '../worker-backend.js';
import { type CommandQueue, quarantineIfWrongType, repairAfter, requeueActive } from './queue-repair.js';

interface QueueConsumerOptions {
  readonly redis: Redis;
  readonly name: string;
  /** Whether another job may be taken while `underWay` jobs run. Called again when one of them ends. */
  readonly hasRoom: (underWay: number) => boolean;
  /** Called in the order of the queue. null: the job is not settled, and goes back to the queue for the next owner. */
  readonly run: (job: Job) => Promise<unknown>;
  /** Lifetime of a settled job. BullMQ removes old ones only when it settles another, which may never happen. */
  readonly retentionMs: number;
  /** A key that is no longer needed once the job is settled; it expires soon after. */
  readonly disposableKey?: (jobId: string) => string;
  /** Called with the number of settled jobs that are kept. */
  readonly onRetained?: (count: number) => void;
  readonly log: Logger;
}

/** Lifetime of a disposable key: a reader that began before the job settled has read it by then. */
const disposableMs = 60_000;

const failureReasonMaxBytes = 1_024;

const drainCheckMs = 100;

/** The lists of a queue at one moment. */
export interface QueueState {
  /** Ids of the jobs that are handed out, the newest first. */
  readonly active: readonly string[];
  readonly waiting: number;
}

interface TakenJob {
  readonly job: Job;
  readonly token: string;
  /** Its place in the order of the queue. */
  readonly nth: number;
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
  readonly #unsettled: TakenJob[] = [];
  #taken = 0;
  /** Ids that were active in Redis but unknown here at the last check. */
  #suspects = new Set<string>();
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

  /**
   * Requeues the active jobs of the previous owner in their order, then takes jobs until {@link close}. `activeIds`: the
   * newest first. Retries what Redis refuses; rejects only once closed.
   */
  async start(activeIds: readonly string[]): Promise<void> {
    const { log } = this.#options;
    const signal = this.#closing.signal;
    for (const id of activeIds) {
      const sentence = 'Redis refused to requeue a command of the previous owner; trying again';
      await retryUntilSuccess(() => requeueActive(this.#commandQueue, id), { signal, log, sentence });
    }
    // Not awaited: it ends with the consumer and retries what Redis refuses.
    if (!signal.aborted) this.#taking = this.#take();
  }

  /**
   * Requeues jobs that were lost on the way here: two checks in a row found them active in Redis, but unknown to this
   * consumer. No other consumer would run them. Resolves to whether any job is suspected: then the next check should be soon.
   */
  async recoverLost({ active, waiting }: QueueState): Promise<boolean> {
    // In case another reader took the marker.
    if (waiting > 0) this.wake();
    const unknown = active.filter((id) => !this.#underWay.has(id));
    for (const id of unknown.filter((id) => this.#suspects.has(id))) {
      this.#options.log.warn({ jobId: id }, 'a command was lost on its way here; taking it again');
      await requeueActive(this.#commandQueue, id);
    }
    this.#suspects = new Set(unknown);
    return unknown.length > 0;
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
    // They ended in any order. Each goes to the front of the queue, so the last one goes first.
    for (const { job, token } of this.#unsettled.sort((a, b) => b.nth - a.nth)) {
      await job
        .moveToWait(token)
        .catch((error) =>
          this.#options.log.debug({ jobId: job.id, reason: messageOf(error) }, 'command not requeued'),
        );
    }
    await closed;
  }

  async #take(): Promise<void> {
    const { hasRoom, log } = this.#options;
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
        const job = await this.#worker.getNextJob(token, { block: false });
        if (job !== undefined) this.#carryOut({ job, token, nth: ++this.#taken });
        else await woken.promise;
      } catch (error) {
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
      // Stays active in Redis and unknown here: `recoverLost` finds it.
      .catch((error) => this.#options.log.debug({ jobId: id, err: error }, 'command not settled'))
      .finally(() => {
        this.#underWay.delete(id);
        this.#oneOver.resolve();
      });
    this.#underWay.set(id, settled);
  }

  async #settle(taken: TakenJob): Promise<void> {
    const { job, token } = taken;
    let outcome: unknown;
    try {
      outcome = await this.#options.run(job);
    } catch (error) {
      this.#options.log.error({ jobId: job.id, err: error }, 'command failed');
      // Redis keeps the reason with the job, and an error about its data may be long.
      await job.moveToFailed(new Error(cutText(messageOf(error), failureReasonMaxBytes)), token);
      return this.#expire(job.id ?? '');
    }
    if (outcome === null) {
      this.#unsettled.push(taken);
      return;
    }
    await job.moveToCompleted(outcome, token, false).catch(async (error) => {
      // This helps the next jobs. This one cannot be settled now: BullMQ removed its lock before it reached the key.
      await quarantineIfWrongType(this.#commandQueue, error);
      throw error;
    });
    await this.#expire(job.id ?? '');
  }

  /** Limits how long a settled job and its disposable key live. */
  async #expire(id: string): Promise<void> {
    const { redis, retentionMs, disposableKey, onRetained } = this.#options;
    const expiring = redis.pipeline().pexpire(this.#queue.toKey(id), retentionMs);
    if (disposableKey !== undefined) expiring.pexpire(disposableKey(id), disposableMs);
    if (onRetained === undefined) return void (await expiring.exec());
    const [, retained] = (await expiring.zcard(this.#queue.toKey('completed')).exec())?.at(-1) ?? [];
    if (typeof retained === 'number') onRetained(retained);
  }
}
