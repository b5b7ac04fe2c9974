import { randomUUID } from 'node:crypto';
import type { JobsOptions } from 'bullmq';
import type { StartJob } from '../../contract/intent.js';
import { authStartJob, runJobId } from '../../contract/names.js';

/**
 * The job that is a session's run. Adding it twice is one job; a run that throws is tried again rather than
 * dropped; a finished one leaves nothing that could block the next start.
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
