import {
  type ReadJob,
  type ReadOutcome,
  type ReadReturn,
  readReturnSchema,
} from '../../contract/command-jobs.js';
import { ApiError, type ApiErrorCode } from '../../contract/errors.js';
import { refusalsOf } from '../../contract/operations/operation.js';
import { type AskedName, operations } from '../../contract/operations.js';
import { parseJson } from '../../platform/data-errors.js';
import type { CommandContext } from './context.js';

/** A question to the session worker whose caller waits. */
export interface PendingRead {
  /** null: not answered yet. */
  outcome(): Promise<ReadOutcome | null>;
  /** Removes the question and its answer. Always to be called. */
  discard(): void;
}

export interface Question {
  readonly operation: AskedName;
  readonly input: Record<string, unknown>;
  /** ms */
  readonly notAfter: number;
  readonly requestId: string;
}

export async function ask({ queues, jobs, run }: CommandContext, question: Question): Promise<PendingRead> {
  const job: ReadJob & Question = { ...question, fetchesAnswer: true };
  let id = await queues.addRead(job);
  const { requestId, operation } = question;
  run.log.debug({ requestId, jobId: id, operation }, 'read asked');

  /** null: Redis has lost it; the question can be asked again. */
  async function fetch(told: ReadReturn): Promise<ReadOutcome | null> {
    if (!('stored' in told)) return told;
    const json = await queues.answer(id);
    if (json === null) return null;
    const output = parseJson(json);
    return output === undefined ? unreadable() : { ok: true, output };
  }

  function unreadable(): ReadOutcome {
    run.log.error({ requestId, jobId: id }, 'the answer to a read cannot be read');
    return {
      ok: false,
      error: { code: 'whatsapp_error', message: 'what the session answered cannot be read' },
    };
  }

  function fetchTold(json: string): Promise<ReadOutcome | null> | ReadOutcome {
    const told = readReturnSchema.safeParse(parseJson(json));
    return told.success ? fetch(told.data) : unreadable();
  }

  return {
    async outcome() {
      const { job: record } = await jobs.read(id);
      if (record !== null && record.finishedOn === null) return null;
      const outcome = record?.returnvalue ? await fetchTold(record.returnvalue) : record && ended;
      if (outcome === null) id = await queues.addRead(job);
      return outcome;
    },
    // If Redis refuses, the job expires by itself.
    discard: () => run.inBackground(queues.removeRead(id)),
  };
}

const ended: ReadOutcome = {
  ok: false,
  error: { code: 'whatsapp_error', message: 'the session ended the question without an answer' },
};

/** The answer. Throws its refusal: with its code if the operation's row allows that one, else as `whatsapp_error`. */
export function answerOf(operation: AskedName, outcome: ReadOutcome): unknown {
  if (outcome.ok) return outcome.output;
  const { code, message } = outcome.error;
  const known: readonly string[] = [...refusalsOf(operations[operation]), 'rate_limited'];
  throw new ApiError(known.includes(code) ? (code as ApiErrorCode) : 'whatsapp_error', message, {
    headers: code === 'rate_limited' ? { 'retry-after': '1' } : {},
  });
}
