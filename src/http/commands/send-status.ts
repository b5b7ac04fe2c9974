import {
  isWipedSince,
  type JobView,
  type SendJob,
  type SendOutcome,
  sendOutcomeSchema,
  settledSendAgeS,
  sharedSendOutcomes,
  unknownSend,
} from '../../contract/command-jobs.js';
import { ApiError } from '../../contract/errors.js';
import { parseAs } from '../../contract/json.js';
import type { JobReader, JobRecord, StoredJob } from './job-reader.js';

type Data = Pick<SendJob, 'notAfter' | 'wipedEpoch'>;

/**
 * How a send settled; null: not yet. The owner's outcome takes precedence. Without one, a message that can no longer be sent counts
 * as failed, although its job still waits for an owner, which will settle it the same way.
 */
export function settledOutcome(stored: StoredJob, data: Data): SendOutcome | null {
  const { job, record, wipedEpoch, isOwned, nowMs } = stored;
  const returned = parseAs(sendOutcomeSchema, job?.returnvalue);
  if (returned !== null) return returned;
  // The owner records it before it completes the job.
  if (record?.outcome) return record.outcome;
  if (job?.returnvalue) return unknownSend('interrupted', 'the outcome of the send cannot be read');
  if (job?.finishedOn) return unknownSend('interrupted', 'the send ended without an outcome');

  const isVoid = isWipedSince(data, wipedEpoch);
  if (record?.attempt) {
    // An owner looks for the message before it gives up.
    if (!isVoid || isOwned) return null;
    return sharedSendOutcomes.loginLost;
  }
  if (isVoid) return sharedSendOutcomes.accountChanged;
  if (nowMs > data.notAfter) return sharedSendOutcomes.expired;
  return null;
}

/** A settled send can be looked up for a day. After that it counts as gone, even if Redis still has it. */
export function isForgotten(stored: StoredJob, data: Data): boolean {
  if (stored.job === null) return true;
  if (stored.job.finishedOn === null && settledOutcome(stored, data) === null) return false;
  const settledAt = stored.job.finishedOn ?? data.notAfter;
  return stored.nowMs - settledAt > settledSendAgeS * 1_000;
}

/** The path of the job of an accepted message. */
export function jobPath(id: string): string {
  return `/api/jobs/${id}`;
}

/** Throws `job_not_found`. */
export async function findJobView(jobs: JobReader, id: string): Promise<JobView> {
  const [stored, found] = isSendId(id)
    ? await Promise.all([jobs.findSend(id), jobs.findSendData(id)])
    : [null, null];
  // Only the session's owner can settle a job whose data cannot be parsed. Until then it counts as under way.
  const data =
    found === 'unreadable' ? { notAfter: stored?.job?.timestamp ?? 0, wipedEpoch: Infinity } : found;
  if (stored?.job == null || data === null || isForgotten(stored, data)) {
    throw new ApiError('job_not_found', 'there is no job with this id; settled ones are kept for 24 hours');
  }
  return composeJobView(id, stored.job, data, settledOutcome(stored, data));
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
