import { randomUUID } from 'node:crypto';
import { readsQueue, sendsQueue } from '../../contract/names.js';
import type { ReadName } from '../../contract/operations.js';
import type { ReadJob, SendJob } from '../../contract/send-jobs.js';
import type { Redis } from '../../platform/redis.js';
import { openQueue, unlessDown } from '../session/queue-connection.js';

/** How long a settled send is told of, and its `Idempotency-Key` remembered. */
export const settledSendAgeS = 86_400;
const settledReadAgeS = 60;

/** A session's queues of commands, as seen by those who ask for them. Each failure is an answer of the API. */
export interface CommandQueues {
  /** Under an id that exists already it changes nothing. */
  addSend(id: string, job: SendJob): Promise<void>;
  /** The id of the new job. */
  addRead(job: ReadJob & { readonly operation: ReadName }): Promise<string>;
  removeRead(id: string): Promise<void>;
  close(): Promise<void>;
}

/** `redis` stays the caller's to close. */
export function createCommandQueues(redis: Redis, session: string): CommandQueues {
  const sends = openQueue<SendJob>(sendsQueue(session), redis);
  const reads = openQueue<ReadJob>(readsQueue(session), redis);
  // Never carried out twice by BullMQ itself: what an attempt may have done is for the owner to find out.
  const once = { attempts: 1, stackTraceLimit: 1 };
  return {
    async addSend(jobId, job) {
      const kept = { removeOnComplete: { age: settledSendAgeS }, removeOnFail: { age: settledSendAgeS } };
      await unlessDown(redis, () => sends.add('send', job, { ...once, ...kept, jobId }));
    },
    async addRead(job) {
      const jobId = `r-${randomUUID()}`;
      const kept = { removeOnComplete: { age: settledReadAgeS }, removeOnFail: { age: settledReadAgeS } };
      await unlessDown(redis, () => reads.add(job.operation, job, { ...once, ...kept, jobId }));
      return jobId;
    },
    async removeRead(id) {
      await unlessDown(redis, () => reads.remove(id));
    },
    async close() {
      await Promise.all([sends.close(), reads.close()]);
    },
  };
}
