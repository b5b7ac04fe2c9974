import { randomUUID } from 'node:crypto';
import type { SendJob } from '../../contract/command-jobs.js';
import { ApiError } from '../../contract/errors.js';
import { type InputOf, operations } from '../../contract/operations.js';
import { sha256Hex } from '../../platform/digest.js';
import type { CommandCall, SessionCommandContext } from './command-context.js';
import type { JobRecord } from './job-reader.js';
import { judgeReadiness } from './readiness.js';
import { isForgotten, jobPath, settledOutcome } from './send-status.js';

/** A message that Redis has. */
export interface AcceptedSend {
  readonly id: string;
  readonly data: SendJob;
  /** The job as it was when it was accepted or found. */
  readonly job: JobRecord;
  /** The message had settled before this call. */
  readonly isReplay: boolean;
}

/** Makes a call safe to repeat. The same text from another caller is another key. */
export interface IdempotencyKey {
  /** The name of the caller's API key, or `''`. */
  readonly keyName: string;
  readonly key: string;
}

/**
 * Puts the message into Redis, or finds the one that an earlier call with the same `Idempotency-Key` put there. A refused call
 * leaves nothing behind.
 *
 * Throws the refusal of the session's state, `queue_full`, or `idempotency_conflict`. Throws `redis_unavailable`, with the job's id
 * if it is not known whether Redis has the message.
 */
export async function acceptSend(
  context: SessionCommandContext,
  input: InputOf<'send'>,
  idempotencyKey: IdempotencyKey | null,
  call: CommandCall,
): Promise<AcceptedSend> {
  const { run, turns, sendTtlMs } = context;
  const requestHash = hashOf(input);
  const id = idempotencyKey === null ? `m-${randomUUID()}` : idOf(run.session, idempotencyKey);
  const earlier = idempotencyKey === null ? null : await findEarlier(context, id, requestHash);
  if (earlier !== null) return earlier;
  await turns.next();

  const view = await run.readView();
  const readiness = judgeReadiness(view, call, operations.send.needs);
  if (readiness.type === 'refused') throw readiness.error;
  const data: SendJob = {
    phoneNumber: input.phone_number ?? null,
    chatId: input.chat_id ?? null,
    linkPreview: input.link_preview,
    markSeen: input.mark_seen,
    message: input.message,
    requestHash,
    notAfter: view.nowMs + sendTtlMs,
    wipedEpoch: view.wipedEpoch,
    wid: view.status.account?.wid ?? null,
    requestId: call.requestId,
  };
  await context.queues.reserve('sends', id, data);
  try {
    await context.queues.addSend(id, data);
    run.log.info({ session: run.session, requestId: call.requestId, jobId: id }, 'send accepted');
    // Another replica may have added another request under the same key just before.
    const added = idempotencyKey === null ? null : await findEarlier(context, id, requestHash);
    return { id, data, job: newRecord(view.nowMs), ...added, isReplay: false };
  } catch (error) {
    throw error instanceof ApiError && error.code === 'redis_unavailable' ? unknownOutcome(id, error) : error;
  }
}

async function findEarlier(
  { jobs, forgetSend }: SessionCommandContext,
  id: string,
  requestHash: string,
): Promise<AcceptedSend | null> {
  const stored = await jobs.findSend(id);
  // Read after the job. The other way round, a job that another replica adds in between would seem to have no data and be removed.
  const data = stored.job === null ? null : await jobs.findSendData(id);
  if (stored.isUnusable || data === 'unreadable') throw unreadable(id);
  if (stored.job === null || data === null || isForgotten(stored, data)) {
    await forgetSend(id, stored.job?.timestamp ?? null);
    return null;
  }
  if (data.requestHash !== requestHash) {
    throw new ApiError('idempotency_conflict', 'this idempotency key was used for another request');
  }
  return { id, data, job: stored.job, isReplay: settledOutcome(stored, data) !== null };
}

/**
 * The hash by which a repeated request is recognized. A plain text to a number has the same hash as in the first version, so that a
 * key used before an upgrade still finds its job.
 */
function hashOf({ phone_number, chat_id, message, link_preview, mark_seen }: InputOf<'send'>): string {
  const isPlain = phone_number !== undefined && link_preview && mark_seen;
  return sha256Hex(
    JSON.stringify(
      isPlain
        ? [phone_number, message]
        : [phone_number ?? null, message, { chat_id: chat_id ?? null, link_preview, mark_seen }],
    ),
  );
}

function idOf(session: string, { keyName, key }: IdempotencyKey): string {
  return `k-${sha256Hex([session, keyName, key].join('\0'))}`;
}

/** The unreadable job may be this very message, and it may have been sent. */
function unreadable(id: string): ApiError {
  return new ApiError('internal_error', 'the job of this idempotency key in Redis cannot be read', {
    details: { job_id: id },
    httpHint: `ask GET ${jobPath(id)}, or use another key`,
  });
}

function unknownOutcome(id: string, cause: ApiError): ApiError {
  return new ApiError(
    'redis_unavailable',
    'Redis stopped answering while the message was being accepted: its outcome is unknown',
    {
      httpHint: `ask GET ${jobPath(id)}, or repeat with the same Idempotency-Key`,
      ...{ details: { job_id: id }, headers: { ...cause.headers }, cause: cause.cause },
    },
  );
}

function newRecord(timestamp: number): JobRecord {
  return { timestamp, processedOn: null, finishedOn: null, returnvalue: null, attemptsStarted: 0 };
}
