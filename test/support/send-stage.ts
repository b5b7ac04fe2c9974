import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Queue } from 'bullmq';
import type { SendJob, SendOutcome } from '../../src/contract/command-jobs.js';
import { attemptKey, keyPrefix } from '../../src/contract/keys.js';
import { sendsQueue } from '../../src/contract/names.js';
import { eventually } from './eventually.js';
import type { RedisForData } from './shared-redis.js';
import { SupervisedSession } from './supervised-session.js';

export const someNumber = '15551234567';

/** A supervised session with its queue of sends, to which the test adds jobs as a replica does. */
export class SendStage extends SupervisedSession {
  readonly queue: Queue<SendJob, SendOutcome>;
  readonly #accepted: string[] = [];

  constructor(redis: RedisForData, options: ConstructorParameters<typeof SupervisedSession>[1] = {}) {
    super(redis, options);
    const { host, port, db } = this.observer.redis.options;
    const connection = { host, port, db };
    this.queue = new Queue(sendsQueue(this.observer.session), { connection, prefix: keyPrefix });
  }

  /** Accepts messages to one number, in this order and without waiting in between; resolves to the ids of the jobs. */
  accept(...messages: string[]): Promise<string[]> {
    return this.acceptFor({ phoneNumber: someNumber }, ...messages);
  }

  /** Resolves to the ids of the jobs. */
  async acceptFor(job: Partial<SendJob>, ...messages: string[]): Promise<string[]> {
    const ids = messages.map(() => `m-${randomUUID()}`);
    await this.add(...messages.map((message, i) => ({ id: ids[i] as string, job: { ...job, message } })));
    return ids;
  }

  async add(...jobs: { readonly id: string; readonly job: Partial<SendJob> }[]): Promise<void> {
    this.#accepted.push(...jobs.map(({ id }) => id));
    await Promise.all(
      jobs.map(({ id, job }) => {
        const data: SendJob = {
          ...{ phoneNumber: null, chatId: null, linkPreview: true, markSeen: true, message: 'Hello' },
          ...{ requestHash: 'x', requestId: 'r', wid: null, notAfter: Date.now() + 600_000, wipedEpoch: 0 },
          ...job,
        };
        return this.queue.add('send', data, { jobId: id, attempts: 1 });
      }),
    );
  }

  /** Writes the record that an earlier owner left for a job. */
  async leaveRecord(jobId: string, record: string): Promise<void> {
    await this.observer.redis.set(attemptKey(this.observer.session, jobId), record);
  }

  sentTexts(): string[] {
    return this.scripted.sent().map(({ message }) => message);
  }

  /** null: not settled. */
  async outcome(id: string): Promise<SendOutcome | null> {
    const job = await this.queue.getJob(id);
    return job?.finishedOn ? job.returnvalue : null;
  }

  async settled(id: string): Promise<SendOutcome> {
    const outcome = await eventually(() => this.outcome(id), {
      message: 'the send settles',
      timeoutMs: 40_000,
    });
    return outcome as SendOutcome;
  }

  /** In the order of acceptance; null: not settled. */
  outcomes(): Promise<(SendOutcome | null)[]> {
    return Promise.all(this.#accepted.map((id) => this.outcome(id)));
  }

  async untilAllSent(): Promise<void> {
    await eventually(
      async () => {
        const statuses = (await this.outcomes()).map((outcome) => outcome?.status);
        assert.deepEqual(new Set(statuses), new Set(['sent']));
        return true;
      },
      { timeoutMs: 60_000, message: 'all are sent' },
    );
  }

  override async close(): Promise<void> {
    await this.queue.close();
    await super.close();
  }
}

/** Runs a test on a stage of its own. */
export function withSends(
  redis: RedisForData,
  work: (stage: SendStage) => Promise<void>,
  options: ConstructorParameters<typeof SendStage>[1] = {},
): Promise<void> {
  return new SendStage(redis, options).during(work);
}

export const numbered = (count: number, what = 'message', from = 0) =>
  Array.from({ length: count }, (_, i) => `${what} ${from + i}`);
