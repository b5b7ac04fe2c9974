import { ApiError, type ApiErrorCode } from '../../contract/errors.js';
import type { ReadName } from '../../contract/operations.js';
import { type ReadOutcome, readOutcomeSchema } from '../../contract/send-jobs.js';
import type { CommandAccess } from './command-access.js';

/** A question to the session worker that somebody waits for. */
export interface PendingRead {
  /** null: not answered yet. */
  outcome(): Promise<ReadOutcome | null>;
  /** Takes the question back, where nobody waits for the answer any more. */
  discard(): void;
}

export interface Question {
  readonly operation: ReadName;
  readonly input: Record<string, unknown>;
  /** ms */
  readonly notAfter: number;
  readonly requestId: string;
}

export async function ask({ queues, looks, run }: CommandAccess, question: Question): Promise<PendingRead> {
  let id = await queues.addRead(question);
  const { requestId, operation } = question;
  run.log.debug({ requestId, jobId: id, operation }, 'read asked');
  return {
    async outcome() {
      const { job } = await looks.read(id);
      // Redis has lost it: a question can be put again.
      if (job === null) id = await queues.addRead(question);
      if (job?.returnvalue) return readOutcomeSchema.parse(JSON.parse(job.returnvalue));
      return job?.finishedOn ? { ok: false, error: { code: 'whatsapp_error', message: noAnswer } } : null;
    },
    discard: () => run.inBackground(queues.removeRead(id)),
  };
}

const noAnswer = 'the session ended the question without an answer';

/** The answer, or its refusal as an error of the API. */
export function answerOf(outcome: ReadOutcome): unknown {
  if (outcome.ok) return outcome.output;
  const { code, message } = outcome.error;
  throw new ApiError(isPassedOn(code) ? code : 'whatsapp_error', message);
}

const passedOn = [
  'session_not_started',
  'login_required',
  'login_failed',
  'not_on_whatsapp',
  'chat_not_found',
  'not_supported_by_page',
  'whatsapp_error',
  'timeout',
] as const satisfies readonly ApiErrorCode[];

function isPassedOn(code: string): code is (typeof passedOn)[number] {
  return (passedOn as readonly string[]).includes(code);
}
