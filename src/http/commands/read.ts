import { ApiError } from '../../contract/errors.js';
import { mayBeDoneSentence } from '../../contract/operations/operation.js';
import {
  type AnsweredOperationName,
  type CommandInputOf,
  type OutputOf,
  operations,
  type WorkerOperationName,
} from '../../contract/operations.js';
import type { RunView } from '../session/run-view.js';
import type { CommandCall, SessionCommandContext } from './command-context.js';
import { type Answered, ask, type PendingRead, parseAnswer } from './pending-read.js';
import { judgeReadiness, notReadyInTime, type Readiness } from './readiness.js';

/**
 * Asks the session worker and waits for its answer, even while the session is not `ready` yet. The question is in Redis from the
 * start, so the session's next owner can answer it too. A caller with too many questions in Redis waits here until one of them
 * ends.
 *
 * Throws the refusal of the session's state or of the session worker. Throws `session_not_ready` or `timeout` at the end of the
 * wait.
 */
export async function readSession<Name extends AnsweredOperationName>(
  context: SessionCommandContext,
  operation: Name,
  input: CommandInputOf<Name>,
  call: CommandCall,
): Promise<OutputOf<Name>> {
  const answered = await untilAnswered(context, operation, input as Record<string, unknown>, call);
  return parseAnswer(operation, operations[operation].output, answered) as OutputOf<Name>;
}

/** How long after the change of state the answer of such an operation may come. */
const lateAnswerMs = 3_000;

async function untilAnswered(
  context: SessionCommandContext,
  operation: WorkerOperationName,
  input: Record<string, unknown>,
  call: CommandCall,
): Promise<Answered> {
  const { run, readsUnderWay, onBound } = context;
  const deadline = performance.now() + call.waitMs;
  let pending: PendingRead | null = null;
  let hasTurn = false;
  let hasWaited = false;
  let mayHaveBegun = false;
  let refusedAt: number | null = null;
  try {
    for (;;) {
      const [view, outcome] = await Promise.all([run.readView(), pending?.outcome() ?? null]);
      const readiness = judgeReadiness(view, call, operations[operation].needs);
      if (outcome !== null) return { outcome, readiness, state: view.status.state };
      if (readiness.type === 'refused') {
        refusedAt ??= performance.now();
        const mayAnswer = pending !== null && endsItsState(operation);
        if (!mayAnswer || performance.now() - refusedAt > lateAnswerMs) throw readiness.error;
      }
      hasTurn ||= readsUnderWay.tryEnter(call.callerName);
      if (hasTurn) pending ??= await ask(context, questionOf(operation, input, call, view));
      else if (!hasWaited) {
        hasWaited = true;
        onBound('readsPerCaller');
      }
      const isOver = performance.now() >= deadline || call.signal.aborted;
      // The session worker begins nothing whose time is over.
      mayHaveBegun ||= pending !== null && readiness.type === 'ready' && !isOver;
      if (isOver) throw unanswered(readiness);
      await run.untilNextRead(call.signal);
    }
  } catch (error) {
    if (!isIdempotent(operation) || !(error instanceof ApiError)) throw error;
    throw mayHaveBegun
      ? doubtful(error)
      : error.code === 'timeout'
        ? error.adding('nothing was done')
        : error;
  } finally {
    if (hasTurn) readsUnderWay.leave(call.callerName);
    pending?.discard();
  }
}

/** Carrying it out can end the state that it needs, and its answer follows. */
function endsItsState(operation: WorkerOperationName): boolean {
  return operations[operation].needs === 'passkey_required';
}

export function questionOf(
  operation: WorkerOperationName,
  input: Record<string, unknown>,
  call: CommandCall,
  { nowMs }: Pick<RunView, 'nowMs'>,
) {
  return { operation, input, notAfter: nowMs + call.waitMs, requestId: call.requestId };
}

/** The error at the end of the wait. */
export function unanswered(readiness: Readiness): ApiError {
  return readiness.type === 'coming'
    ? notReadyInTime(readiness.state)
    : new ApiError('timeout', 'the session did not answer in time');
}

/** The same error, where the session worker may have begun: only an outage of Redis keeps its code. */
function doubtful({ code, message, headers, cause }: ApiError): ApiError {
  return new ApiError(code === 'redis_unavailable' ? code : 'timeout', `${message}; ${mayBeDoneSentence}`, {
    headers,
    cause,
  });
}

function isIdempotent(name: WorkerOperationName): boolean {
  const { delivery }: { readonly delivery: string } = operations[name];
  return delivery === 'idempotent';
}
