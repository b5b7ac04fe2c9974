import { randomUUID } from 'node:crypto';
import { Job, type Queue, Worker, type WorkerOptions } from 'bullmq';
import { messageOf } from '../../contract/errors.js';
import { cutText } from '../../contract/json-size.js';
import { queueKeys } from '../../contract/key-types.js';
import { keyPrefix } from '../../contract/keys.js';
import { type Deferred, deferred, pause, unlessAborted, withDeadline } from '../../platform/deadline.js';
import { insist, retryMs } from '../../platform/insist.js';
import type { Logger } from '../../platform/logger.js';
import { isAboutData, isUnparsed, isWrongType } from '../../platform/odd-data.js';
import { requeueIfLost } from '../../platform/queues/add-job.js';
import { openQueue } from '../../platform/queues/open-queue.js';
import type { Redis } from '../../platform/redis/connection.js';
import { copyAside, setAsideOddTypes, settingAside } from '../../platform/redis/set-aside.js';

interface LaneOptions {
  readonly redis: Redis;
  readonly name: string;
  /** Another one may be taken beside those that are under way. Asked again when one of them is over. */
  readonly hasRoom: (underWay: number) => boolean;
  /** Called in the order of the queue. null: not settled; the job is for the next owner. */
  readonly run: (job: Job) => Promise<unknown>;
  /** How long what is settled is kept: BullMQ drops it when it settles another one later, which may be never. */
  readonly keptMs: number;
  /** What is not needed beside a settled job any more. */
  readonly spareKey?: (jobId: string) => string;
  /** Told how many are kept. */
  readonly onKept?: (count: number) => void;
  readonly log: Logger;
}

/** Whoever looked at both in the moment of settling has done so by then. */
const spareMs = 60_000;

/** In bytes. */
const longestReason = 1_024;

/** Between two looks whether a queue is empty. */
const drainLookMs = 100;

/** A queue at one moment. */
export interface QueueLook {
  /** Ids of the jobs that are handed out, the newest first. */
  readonly active: readonly string[];
  readonly waiting: number;
}

interface Taken {
  readonly job: Job;
  readonly token: string;
}

/**
 * One queue of commands, taken one after another and carried out side by side. BullMQ's own loop is not used: it starts
 * jobs that it has fetched at the same time in any order.
 */
export class QueueConsumer {
  readonly #options: LaneOptions;
  readonly #queue: Queue;
  readonly #worker: Worker;
  readonly #closing = new AbortController();
  /** By job: settles once it is over, and never rejects. */
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #unsettled: Taken[] = [];
  /** Handed out to nobody, as far as the last look could tell. */
  #suspects = new Set<string>();
  #taking: Promise<void> = Promise.resolve();
  #woken: Deferred<void> = deferred();
  #oneOver: Deferred<void> = deferred();

  constructor(options: LaneOptions) {
    const { redis, name, log } = options;
    this.#options = options;
    this.#queue = openQueue(name, redis);
    const workerOptions: WorkerOptions = {
      connection: redis,
      prefix: keyPrefix,
      autorun: false,
      skipStalledCheck: true,
      skipLockRenewal: true,
      skipVersionCheck: true,
      lockDuration: 86_400_000,
    };
    this.#worker = new Worker(name, null, workerOptions);
    this.#worker.on('error', (error) => log.debug({ err: error }, 'command worker'));
  }

  get activeKey(): string {
    return this.#queue.toKey('active');
  }

  get waitKey(): string {
    return this.#queue.toKey('wait');
  }

  /** Set when something is put into the queue. */
  get markerKey(): string {
    return this.#queue.toKey('marker');
  }

  /** There may be something to take. */
  wake(): void {
    this.#woken.resolve();
  }

  /**
   * What the owner before left unfinished is put back, in its order, and everything is taken from then on. Insists where
   * Redis refuses; rejects only once it is closed.
   */
  async start(activeIds: readonly string[]): Promise<void> {
    const { log } = this.#options;
    const signal = this.#closing.signal;
    for (const id of activeIds) {
      const sentence = 'redis refused a command of the owner before; trying again';
      await insist(() => this.#putBackUnlessOdd(id), { signal, log, sentence });
    }
    // It ends with the lane: whatever Redis refuses there is tried again.
    if (!signal.aborted) this.#taking = this.#take();
  }

  /**
   * A command whose way to this worker was cut is active for Redis and unknown here: nobody would ever carry it out.
   * What two looks in a row find so goes back to the front. Whether there is anything to look at again soon.
   */
  async inspect({ active, waiting }: QueueLook): Promise<boolean> {
    // Makes up for a marker that another reader took.
    if (waiting > 0) this.wake();
    const unheld = active.filter((id) => !this.#underWay.has(id));
    for (const id of unheld.filter((id) => this.#suspects.has(id))) {
      this.#options.log.warn({ jobId: id }, 'a command was lost on its way here; taking it again');
      await this.#putBackUnlessOdd(id);
    }
    this.#suspects = new Set(unheld);
    return unheld.length > 0;
  }

  /** Resolves when nothing waits and nothing is under way, or when `signal` aborts. */
  async drained(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const counting = this.#queue.getJobCounts('waiting', 'active');
      // What Redis refuses or does not answer is not known to be empty.
      const counts = await unlessAborted(counting, signal).catch(() => null);
      if (counts !== null && (counts.waiting ?? 0) + (counts.active ?? 0) === 0) return;
      await pause(drainLookMs, signal);
    }
  }

  /**
   * Resolves when nothing is under way; whoever runs it sees to it that `run` ends. Bounded: without Redis BullMQ closes
   * only once Redis is back, and nobody shall wait for that.
   */
  async close(): Promise<void> {
    this.#closing.abort();
    this.wake();
    await withDeadline(this.#end(), 3_000, 'redis').catch((error) =>
      this.#options.log.debug({ reason: messageOf(error) }, 'commands not given back'),
    );
    await withDeadline(this.#queue.close(), 1_000, 'redis').catch(() => undefined);
  }

  async #end(): Promise<void> {
    const closed = this.#worker.close(true);
    await this.#taking;
    while (this.#underWay.size > 0) await Promise.all(this.#underWay.values());
    for (const { job, token } of this.#unsettled.reverse()) {
      await job
        .moveToWait(token)
        .catch((error) =>
          this.#options.log.debug({ jobId: job.id, reason: messageOf(error) }, 'command not given back'),
        );
    }
    await closed;
  }

  async #take(): Promise<void> {
    const { hasRoom, log } = this.#options;
    const closing = this.#closing.signal;
    while (!closing.aborted) {
      if (!hasRoom(this.#underWay.size)) {
        // Not a race of all: what hangs would keep one more reaction each time.
        this.#oneOver = deferred();
        await this.#oneOver.promise;
        continue;
      }
      const token = randomUUID();
      try {
        const woken = deferred<void>();
        this.#woken = woken;
        const job = await this.#worker.getNextJob(token, { block: false });
        if (job !== undefined) this.#carryOut({ job, token });
        else await woken.promise;
      } catch (error) {
        const isUnreadable = isUnparsed(error);
        log.debug({ reason: isUnreadable ? 'it cannot be read' : messageOf(error) }, 'no command taken');
        if (isUnreadable) await this.#discardUnreadable().catch(() => pause(retryMs, closing));
        else if (!(await this.#mend(error))) await pause(retryMs, closing);
      }
    }
  }

  #carryOut(taken: Taken): void {
    const id = taken.job.id ?? '';
    const over = this.#settle(taken)
      // What Redis did not take stays active and is held by nobody: the next looks find it.
      .catch((error) => this.#options.log.debug({ jobId: id, err: error }, 'command not settled'))
      .finally(() => {
        this.#underWay.delete(id);
        this.#oneOver.resolve();
      });
    this.#underWay.set(id, over);
  }

  async #settle({ job, token }: Taken): Promise<void> {
    let outcome: unknown;
    try {
      outcome = await this.#options.run(job);
    } catch (error) {
      this.#options.log.error({ jobId: job.id, err: error }, 'command failed');
      // It is kept with the job, and what was thrown may say at length what is wrong with its data.
      await job.moveToFailed(new Error(cutText(messageOf(error), longestReason)), token);
      return this.#limit(job.id ?? '');
    }
    if (outcome === null) {
      this.#unsettled.push({ job, token });
      return;
    }
    await job.moveToCompleted(outcome, token, false).catch(async (error) => {
      // Too late for this one: BullMQ has taken its lock away before it met the odd key.
      await this.#mend(error);
      throw error;
    });
    await this.#limit(job.id ?? '');
  }

  async #limit(id: string): Promise<void> {
    const { redis, keptMs, spareKey, onKept } = this.#options;
    const limiting = redis
      .pipeline()
      .zcard(this.#queue.toKey('completed'))
      .pexpire(this.#queue.toKey(id), keptMs);
    if (spareKey !== undefined) limiting.pexpire(spareKey(id), spareMs);
    const [[, kept] = []] = (await limiting.exec()) ?? [];
    if (typeof kept === 'number') onKept?.(kept);
  }

  /** Where it is the command that is odd, and not Redis that refuses: it costs itself, not those after it. */
  async #putBackUnlessOdd(id: string): Promise<void> {
    try {
      await this.#putBack(id);
    } catch (error) {
      if (!isAboutData(error)) throw error;
      this.#options.log.error({ jobId: id, err: error }, 'a command cannot be put back');
    }
  }

  /** Whether a key of the queue was of another type, and is set aside. */
  async #mend(error: unknown): Promise<boolean> {
    if (!isWrongType(error)) return false;
    return (await setAsideOddTypes(this.#options.redis, this.#keys).catch(() => 0)) > 0;
  }

  get #keys(): string[] {
    return queueKeys(this.#options.name);
  }

  /** `'0'` skips the lock of the owner that is gone. The newest first, so that the oldest ends in front. */
  async #putBack(id: string): Promise<void> {
    const { redis } = this.#options;
    const key = this.#queue.toKey(id);
    const job = await settingAside(redis, [key], () => this.#read(id));
    if (job === 'unreadable') await this.#discard(id);
    // An id of nothing.
    else if (job === undefined) await redis.lrem(this.activeKey, 0, id);
    else await this.#moveToFront(job, id);
  }

  async #moveToFront(job: Job, id: string): Promise<void> {
    try {
      await job.moveToWait('0');
    } catch (error) {
      if (!(await this.#mend(error))) throw error;
      // BullMQ may have taken it out of the one list before it met the other.
      const { redis, name } = this.#options;
      if (!(await requeueIfLost(redis, name, id, 'front'))) await job.moveToWait('0');
    }
  }

  async #read(id: string): Promise<Job | 'unreadable' | undefined> {
    try {
      return await Job.fromId(this.#queue, id);
    } catch (error) {
      if (isUnparsed(error)) return 'unreadable';
      throw error;
    }
  }

  /** BullMQ hands it out and cannot read it: it is held by nobody. */
  async #discardUnreadable(): Promise<void> {
    for (const id of await this.#options.redis.lrange(this.activeKey, 0, -1)) {
      const isUnreadable = async () => (await this.#read(id).catch(() => null)) === 'unreadable';
      if (!this.#underWay.has(id) && (await isUnreadable())) await this.#discard(id);
    }
  }

  /** Costs itself only. Its text is set aside, and is not in the error. */
  async #discard(id: string): Promise<void> {
    const { redis, log } = this.#options;
    log.error({ jobId: id }, 'a command cannot be read; it is not carried out');
    const key = this.#queue.toKey(id);
    await copyAside(redis, key, (await redis.hget(key, 'data')) ?? '');
    const options = { attempts: 1, removeOnFail: { age: 86_400 } };
    const job = new Job(this.#queue, 'unreadable', {}, options, id);
    await job.updateData({});
    await job.moveToFailed(new Error('the command cannot be read'), '0');
  }
}
