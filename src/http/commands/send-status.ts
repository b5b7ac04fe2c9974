import {
  type JobView,
  type SendJob,
  type SendOutcome,
  sendOutcomeSchema,
  settledSendAgeS,
} from '../../contract/command-jobs.js';
import { ApiError } from '../../contract/errors.js';
import { parseJson } from '../../platform/data-errors.js';
import type { JobReader, JobRecord, JobSnapshot } from './job-reader.js';

type Data = Pick<SendJob, 'notAfter' | 'wipedEpoch'>;

/**
 * How a send settled; null: not yet. The owner's outcome counts. Without one, a send that can no longer be sent is told as
 * failed, although its job still waits for an owner to settle it the same way.
 */
export function outcomeOf(look: JobSnapshot, data: Data): SendOutcome | null {
  const { job, record, wipedEpoch, isOwned, nowMs } = look;
  const told = job?.returnvalue ? sendOutcomeSchema.safeParse(parseJson(job.returnvalue)) : null;
  if (told?.success) return told.data;
  // The owner records it before it completes the job.
  if (record?.outcome) return record.outcome;
  if (job?.returnvalue) return unsettled('unknown', 'interrupted', 'the outcome of the send cannot be read');
  if (job?.finishedOn) return unsettled('unknown', 'interrupted', 'the send ended without an outcome');

  const isVoid = data.wipedEpoch < wipedEpoch;
  if (record?.attempt) {
    // An owner looks for the message before it gives up.
    if (!isVoid || isOwned) return null;
    return unsettled(
      'unknown',
      'interrupted',
      'the send was interrupted, and the login that could tell is gone',
    );
  }
  if (isVoid) {
    const message = 'the account was logged out or changed before the message was sent';
    return unsettled('failed', 'account_changed', message);
  }
  if (nowMs > data.notAfter) return unsettled('failed', 'expired', 'the message could not be sent in time');
  return null;
}

/** A settled send is told for a day. After that it counts as gone, whenever Redis removes it. */
export function isForgotten(look: JobSnapshot, data: Data): boolean {
  if (look.job === null) return true;
  if (look.job.finishedOn === null && outcomeOf(look, data) === null) return false;
  const settledAt = look.job.finishedOn ?? data.notAfter;
  return look.nowMs - settledAt > settledSendAgeS * 1_000;
}

type Unsettled = Exclude<SendOutcome, { status: 'sent' }>;

function unsettled(
  status: Unsettled['status'],
  code: Unsettled['error']['code'],
  message: string,
): SendOutcome {
  return { status, error: { code, message } };
}

/** Throws `job_not_found`. */
export async function viewJob(jobs: JobReader, id: string): Promise<JobView> {
  const [look, told] = isSendId(id) ? await Promise.all([jobs.send(id), jobs.sendData(id)]) : [null, null];
  // Only the session's owner can settle a job that cannot be read. Until then it counts as under way.
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
