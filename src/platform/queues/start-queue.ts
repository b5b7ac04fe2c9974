import { randomUUID } from 'node:crypto';
import type { JobsOptions, Queue } from 'bullmq';
import type { StartJob } from '../../contract/intent.js';
import { authStartJob, runJobId } from '../../contract/names.js';
import type { Redis } from '../redis/connection.js';
import { addJob } from './job-queue.js';

/** Queues the start of a session. Changes nothing if it is queued already. */
export function addStart(redis: Redis, queue: Queue, session: string): Promise<void> {
  const { name, data, options } = startJobOptions(session);
  return addJob(redis, queue, name, data, options);
}

/**
 * The job that is a session's run. The job id of a session is always the same, so that two starts are one job. A run that
 * throws is tried again, and a finished job is removed, so that nothing blocks the next start.
 */
export function startJobOptions(session: string): {
  name: string;
  data: StartJob;
  options: JobsOptions & { readonly jobId: string };
} {
  return {
    name: authStartJob,
    data: { startId: randomUUID() },
    options: {
      jobId: runJobId(session),
      removeOnComplete: true,
      removeOnFail: true,
      attempts: Number.MAX_SAFE_INTEGER,
      backoff: { type: 'fixed', delay: 5_000, jitter: 0.5 },
      stackTraceLimit: 1,
    },
  };
}
