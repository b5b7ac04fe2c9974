import {
  type SendJob,
  type SendOutcome,
  sendOutcomeSchema,
  settledSendAgeS,
} from '../../contract/command-jobs.js';
import { parseJson } from '../../platform/odd-data.js';
import type { JobSnapshot } from './job-reader.js';

type Data = Pick<SendJob, 'notAfter' | 'wipedEpoch'>;

/**
 * How a send settled; null: not yet. What its owner has said stands. Where nobody has said anything and nothing
 * can come of the send any more, that is told too, though its job still waits for an owner to settle it the same.
 */
export function outcomeOf(look: JobSnapshot, data: Data): SendOutcome | null {
  const { job, record, wipedEpoch, isOwned, nowMs } = look;
  const told = job?.returnvalue ? sendOutcomeSchema.safeParse(parseJson(job.returnvalue)) : null;
  if (told?.success) return told.data;
  // Recorded before the queue is told.
  if (record?.outcome) return record.outcome;
  if (job?.returnvalue) return unsettled('unknown', 'interrupted', 'the outcome of the send cannot be read');
  if (job?.finishedOn) return unsettled('unknown', 'interrupted', 'the send ended without an outcome');

  const isVoid = data.wipedEpoch < wipedEpoch;
  if (record?.attempt) {
    // An owner would look for the message before it says so.
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

/** A settled send is told of for a day; after that it counts as gone, whenever Redis drops it. */
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
