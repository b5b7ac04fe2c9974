import {
  type JobView,
  type SendOutcome,
  type sendErrorCodes,
  unknownSend,
} from '../../contract/command-jobs.js';
import { ApiError, type ApiErrorCode } from '../../contract/errors.js';
import { pathOfSession } from '../../contract/names.js';
import type { InputOf, OutputOf } from '../../contract/operations.js';
import { type AcceptedSend, acceptSend, type IdempotencyKey } from './accept-send.js';
import type { CommandCall, SessionCommandContext } from './command-context.js';
import { composeJobView, jobPath, settledOutcome } from './send-status.js';

export interface SendAnswer {
  readonly status: 200 | 202;
  readonly body: OutputOf<'send'> | AcceptedJob;
  readonly headers: Readonly<Record<string, string>>;
}

/** The job of a message that has not settled, and its URL. */
export type AcceptedJob = JobView & { readonly url: string };

/**
 * Accepts a message and waits for its outcome. Answers 200 once WhatsApp has the message, or 202 with the job if the wait ends
 * first. Throws the errors of {@link acceptSend}, and the failure of a message that was not sent.
 */
export async function sendMessage(
  context: SessionCommandContext,
  input: InputOf<'send'>,
  idempotencyKey: IdempotencyKey | null,
  call: CommandCall,
): Promise<SendAnswer> {
  const deadline = performance.now() + call.waitMs;
  const accepted = await acceptSend(context, input, idempotencyKey, call);
  const { id, data } = accepted;
  const { job, outcome } = await untilSettled(context, accepted, deadline, call.signal);
  const headers: Record<string, string> = accepted.isReplay ? { 'idempotent-replayed': 'true' } : {};
  if (outcome?.status === 'sent') return { status: 200, body: outcome.result, headers };
  if (outcome !== null) throw notSent(id, outcome, headers);
  const url = call.baseUrl + pathOfSession(call.session, jobPath(id));
  return {
    status: 202,
    body: { ...composeJobView(id, job, data, null), url },
    headers: { location: url, 'retry-after': '2' },
  };
}

/** Never throws `redis_unavailable`: Redis has the message, so an outage ends the wait and not the send. */
async function untilSettled(
  { jobs, run }: SessionCommandContext,
  accepted: AcceptedSend,
  deadline: number,
  signal: AbortSignal,
) {
  const { id, data } = accepted;
  let job = accepted.job;
  for (;;) {
    const stored = await jobs.findSend(id).catch((error: unknown) => {
      if (error instanceof ApiError && error.code === 'redis_unavailable') return null;
      throw error;
    });
    if (stored === null) return { job, outcome: null };
    const outcome = stored.job === null ? lost : settledOutcome(stored, data);
    job = stored.job ?? job;
    if (outcome !== null || performance.now() >= deadline || signal.aborted) return { job, outcome };
    await run.untilNextRead(signal);
  }
}

const lost = unknownSend('interrupted', 'Redis has lost the job; whether the message was sent is not known');

type NotSent = Exclude<SendOutcome, { status: 'sent' }>;

const codeOf: Readonly<Record<(typeof sendErrorCodes)[number], ApiErrorCode>> = {
  expired: 'timeout',
  account_changed: 'login_required',
  not_on_whatsapp: 'not_on_whatsapp',
  whatsapp_error: 'whatsapp_error',
  not_acknowledged: 'whatsapp_error',
  interrupted: 'whatsapp_error',
};

function notSent(id: string, { error }: NotSent, headers: Record<string, string>): ApiError {
  return new ApiError(codeOf[error.code], error.message, { details: { job_id: id }, headers });
}
