import { randomUUID } from 'node:crypto';
import type { JobsOptions, Queue } from 'bullmq';
import { bounds } from '../../contract/bounds.js';
import { type ReadJob, type SendJob, settledReadAgeS, settledSendAgeS } from '../../contract/command-jobs.js';
import { ApiError } from '../../contract/errors.js';
import { jsonBytes } from '../../contract/json-size.js';
import { readsQueue, sendsQueue } from '../../contract/names.js';
import type { WorkerOperationName } from '../../contract/operations.js';
import { addJob, openQueue } from '../../platform/queues/job-queue.js';
import type { Redis } from '../../platform/redis/connection.js';
import { discardAnswer, fetchAnswer } from '../../platform/store/read-answers.js';
import { unlessDown } from '../core/redis-errors.js';
import {
  type CommandQueueName,
  type QueueBound,
  releaseReservation,
  reserveCapacity,
} from './queue-capacity.js';

/** The producer's side of a session's queues of commands. Each failure is an error of the API. */
export interface CommandQueues {
  /** Reserves a place for a job that is about to be added. Throws `queue_full` with the bound. */
  reserve(queue: CommandQueueName, id: string, job: SendJob | ReadJob): Promise<void>;
  /** Does nothing if a job with this id exists. */
  addSend(id: string, job: SendJob): Promise<void>;
  /** Returns the id of the new job. Throws `queue_full`. */
  addRead(job: ReadJob & { readonly operation: WorkerOperationName }): Promise<string>;
  /** Resolves to the answer as JSON, or to null if it is gone. */
  answer(readId: string): Promise<string | null>;
  /** Removes the job and its answer. */
  removeRead(id: string): Promise<void>;
  close(): Promise<void>;
}

interface CommandQueuesParts {
  /** The caller closes it. */
  readonly redis: Redis;
  readonly session: string;
  readonly sendQueueMax: number;
}

export function createCommandQueues(parts: CommandQueuesParts): CommandQueues {
  const { redis, session, sendQueueMax } = parts;
  // A queue of BullMQ costs memory and listeners. Most sessions of a replica are only read.
  const opened: Queue[] = [];
  const opening = <Data>(name: string) => {
    let queue: Queue<Data> | null = null;
    return () => {
      if (queue === null) {
        queue = openQueue<Data>(name, redis);
        opened.push(queue);
      }
      return queue;
    };
  };
  const sends = opening<SendJob>(sendsQueue(session));
  const reads = opening<ReadJob>(readsQueue(session));
  const limits = { ...bounds, sendQueue: sendQueueMax };
  // BullMQ must never run a command twice. The session's owner finds out what an interrupted attempt has done.
  const once = { attempts: 1, stackTraceLimit: 1 };

  async function reserve(queue: CommandQueueName, id: string, job: SendJob | ReadJob): Promise<void> {
    const wanted = { queue, session, id, bytes: jsonBytes(job) };
    const met = await unlessDown(redis, () => reserveCapacity(redis, wanted, limits));
    if (met !== null) throw queueFull(met, limits[met]);
  }

  /** It may fail, because a reservation of a job in the queue is not counted. */
  const release = (queue: CommandQueueName, id: string) =>
    void releaseReservation(redis, queue, session, id).catch(() => undefined);

  return {
    reserve,
    async addSend(jobId, job) {
      const kept = keptFor(settledSendAgeS, bounds.settledSends);
      await unlessDown(redis, () => addJob(redis, sends(), 'send', job, { ...once, ...kept, jobId }));
      release('sends', jobId);
    },
    async addRead(job) {
      const jobId = `r-${randomUUID()}`;
      await reserve('reads', jobId, job);
      const kept = keptFor(settledReadAgeS, bounds.readQueue);
      await unlessDown(redis, () =>
        addJob<ReadJob>(redis, reads(), job.operation, job, { ...once, ...kept, jobId }),
      );
      release('reads', jobId);
      return jobId;
    },
    answer: (id) => unlessDown(redis, () => fetchAnswer(redis, session, id)),
    async removeRead(id) {
      await unlessDown(redis, () => discardAnswer(redis, session, id));
      await unlessDown(redis, () => reads().remove(id));
    },
    async close() {
      await Promise.all(opened.map((queue) => queue.close()));
    },
  };
}

function keptFor(age: number, count: number): Pick<JobsOptions, 'removeOnComplete' | 'removeOnFail'> {
  return { removeOnComplete: { age, count }, removeOnFail: { age, count } };
}

function queueFull(bound: QueueBound, limit: number): ApiError {
  const sentences: Record<QueueBound, string> = {
    sendQueue: `the queue is full: ${limit} messages wait to be sent (WHATSAPP_SEND_QUEUE_MAX)`,
    sendQueueBytes: `the queue is full: with this one, the messages that wait to be sent would exceed ${limit} bytes`,
    readQueue: `the queue is full: ${limit} other calls wait for the session`,
    readQueueBytes: `the queue is full: with this one, the other calls that wait for the session would exceed ${limit} bytes`,
  };
  return new ApiError('queue_full', `${sentences[bound]}; try again later`, {
    ...{ details: { bound }, bound },
    headers: { 'retry-after': bound.startsWith('send') ? '30' : '5' },
  });
}
