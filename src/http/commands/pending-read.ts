import type { z } from 'zod';
import {
  type ReadJob,
  type ReadOutcome,
  type ReadReturn,
  readReturnSchema,
} from '../../contract/command-jobs.js';
import { ApiError, type ApiErrorCode } from '../../contract/errors.js';
import { parseAs, parseJson } from '../../contract/json.js';
import { mayBeDoneSentence, refusalsOf } from '../../contract/operations/operation.js';
import { operations, type WorkerOperationName } from '../../contract/operations.js';
import type { SessionState } from '../../contract/status.js';
import type { SessionCommandContext } from './command-context.js';
import { notReadyInTime, type Readiness } from './readiness.js';

/** An outcome, and what the state of the session meant for the question at that time. */
export interface Answered {
  readonly outcome: ReadOutcome;
  readonly readiness: Readiness;
  readonly state: SessionState;
}

/** A question to the session worker, while its caller waits. */
export interface PendingRead {
  /** null: not answered yet. */
  outcome(): Promise<ReadOutcome | null>;
  /** Removes the question and its answer. It must always be called. */
  discard(): void;
}

export interface Question {
  readonly operation: WorkerOperationName;
  readonly input: Record<string, unknown>;
  /** Unix ms */
  readonly notAfter: number;
  readonly requestId: string;
}

export async function ask(
  { queues, jobs, run }: SessionCommandContext,
  question: Question,
): Promise<PendingRead> {
  const job: ReadJob & Question = { ...question, fetchesAnswer: true };
  let id = await queues.addRead(job);
  const { requestId, operation } = question;
  run.log.debug({ requestId, jobId: id, operation }, 'read asked');

  /** null: Redis has lost the answer; the question can be asked again. */
  async function fetch(returned: ReadReturn): Promise<ReadOutcome | null> {
    if (!('stored' in returned)) return returned;
    const json = await queues.answer(id);
    if (json === null) return null;
    const output = parseJson(json);
    return output === undefined ? unreadable() : { ok: true, output };
  }

  function unreadable(): ReadOutcome {
    run.log.error({ requestId, jobId: id }, 'cannot parse the answer to a read');
    return unreadableAnswer;
  }

  function outcomeIn(json: string): Promise<ReadOutcome | null> | ReadOutcome {
    const returned = parseAs(readReturnSchema, json);
    return returned === null ? unreadable() : fetch(returned);
  }

  return {
    async outcome() {
      const { job: record } = await jobs.findRead(id);
      if (record !== null && record.finishedOn === null) return null;
      const outcome = record?.returnvalue ? await outcomeIn(record.returnvalue) : record && ended;
      if (outcome === null) id = await queues.addRead(job);
      return outcome;
    },
    // If Redis refuses, the job expires by itself.
    discard: () => run.inBackground(queues.removeRead(id)),
  };
}

const ended: ReadOutcome = {
  ok: false,
  error: { code: 'whatsapp_error', message: 'the session did not answer' },
};

const unreadableAnswer = {
  ok: false,
  error: { code: 'whatsapp_error', message: 'the answer of the session cannot be read' },
} as const satisfies ReadOutcome;

/**
 * Returns the answer, or throws its refusal: with its code if the operation's row allows that code, else as `whatsapp_error`.
 * Throws `whatsapp_error` too if the answer does not fit the schema.
 */
export function parseAnswer<Answer>(
  operation: WorkerOperationName,
  schema: z.ZodType<Answer>,
  { outcome, ...at }: Answered,
): Answer {
  if (!outcome.ok) throw refusalIn(operation, outcome, at);
  const answer = schema.safeParse(outcome.output);
  if (answer.success) return answer.data;
  const { code, message } = unreadableAnswer.error;
  throw new ApiError(code, message, { cause: answer.error });
}

type Refusal = Extract<ReadOutcome, { readonly ok: false }>;

function refusalIn(
  operation: WorkerOperationName,
  outcome: Refusal,
  { readiness, state }: Omit<Answered, 'outcome'>,
): ApiError {
  const { code, message } = outcome.error;
  // The supervisor measures the same wait as this replica, and may be the first to see its end.
  const isOver = code === 'timeout' && !message.endsWith(mayBeDoneSentence);
  if (isOver && readiness.type === 'coming') return notReadyInTime(state);
  const known: readonly string[] = [...refusalsOf(operations[operation]), 'rate_limited'];
  return new ApiError(known.includes(code) ? (code as ApiErrorCode) : 'whatsapp_error', message, {
    headers: retryAfterOf(outcome.error),
    details: code === 'session_not_ready' ? { state } : {},
  });
}

function retryAfterOf({ code, retryAfterS }: Refusal['error']): Record<string, string> {
  const seconds = retryAfterS ?? (code === 'session_not_ready' ? 5 : null);
  return seconds === null ? {} : { 'retry-after': String(seconds) };
}
