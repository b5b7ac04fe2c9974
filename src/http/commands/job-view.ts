import type { JobView, SendJob, SendOutcome } from '../../contract/command-jobs.js';
import { ApiError } from '../../contract/errors.js';
import type { JobReader, JobRecord } from './job-reader.js';
import { isForgotten, outcomeOf } from './send-status.js';

/** Throws `job_not_found` for whatever is not the id of a send that is told of. */
export async function viewJob(looks: JobReader, id: string): Promise<JobView> {
  const [look, told] = isSendId(id) ? await Promise.all([looks.send(id), looks.sendData(id)]) : [null, null];
  // Whoever owns the session settles it; until then it is under way.
  const data = told === 'unreadable' ? { notAfter: look?.job?.timestamp ?? 0, wipedEpoch: Infinity } : told;
  if (look?.job == null || data === null || isForgotten(look, data)) {
    throw new ApiError('job_not_found', 'there is no job with this id; settled ones are kept for 24 hours');
  }
  return composeJobView(id, look.job, data, outcomeOf(look, data));
}

export function composeJobView(
  id: string,
  job: JobRecord,
  data: Pick<SendJob, 'notAfter'>,
  outcome: SendOutcome | null,
): JobView {
  return {
    ok: true,
    id,
    operation: 'send',
    status: outcome?.status ?? (job.attemptsStarted > 0 ? 'active' : 'queued'),
    created_at: iso(job.timestamp),
    updated_at: iso(job.finishedOn ?? job.processedOn ?? job.timestamp),
    expires_at: iso(data.notAfter),
    attempts: job.attemptsStarted,
    result: outcome?.status === 'sent' ? outcome.result : null,
    error: outcome === null || outcome.status === 'sent' ? null : outcome.error,
  };
}

function isSendId(id: string): boolean {
  return /^(m-[0-9a-f-]{36}|k-[0-9a-f]{64})$/.test(id);
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
