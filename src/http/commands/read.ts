import { ApiError } from '../../contract/errors.js';
import { mayBeDone } from '../../contract/operations/operation.js';
import {
  type AskedName,
  type InputOf,
  type OutputOf,
  operations,
  type PlainlyAskedName,
} from '../../contract/operations.js';
import type { CommandCall, CommandContext } from './context.js';
import { answerOf, ask, type PendingRead } from './pending-read.js';
import { judgeReadiness, notReadyInTime, type Readiness } from './readiness.js';

/**
 * Asks the session worker and waits for its answer, also while the session is on its way to `ready`. The question is in Redis
 * from the start, so that the session's next owner can answer it too. A caller who has too many questions in Redis waits here
 * until one of them ends.
 *
 * Throws what the session's state forbids, `session_not_ready` or `timeout` when the wait is over, and what the session worker
 * refuses.
 */
export async function readSession<Name extends PlainlyAskedName>(
  context: CommandContext,
  operation: Name,
  input: InputOf<Name>,
  call: CommandCall,
): Promise<OutputOf<Name>> {
  const { run, readsUnderWay, onBound } = context;
  const deadline = performance.now() + call.waitMs;
  let pending: PendingRead | null = null;
  let hasTurn = false;
  let hasWaited = false;
  let mayHaveBegun = false;
  try {
    for (;;) {
      const [view, outcome] = await Promise.all([run.view(), pending?.outcome() ?? null]);
      if (outcome !== null) {
        return operations[operation].output.parse(answerOf(operation, outcome)) as OutputOf<Name>;
      }
      const readiness = judgeReadiness(view, call.baseUrl);
      if (readiness.type === 'refused') throw readiness.error;
      hasTurn ||= readsUnderWay.tryEnter(call.callerName);
      if (hasTurn) pending ??= await ask(context, questionOf(operation, input, call));
      else if (!hasWaited) {
        hasWaited = true;
        onBound('readsPerCaller');
      }
      mayHaveBegun ||= pending !== null && readiness.type === 'ready';
      if (performance.now() >= deadline || call.signal.aborted) {
        throw mayHaveBegun && isIdempotent(operation) ? doubtful() : unanswered(readiness);
      }
      await run.untilNextLook(call.signal);
    }
  } finally {
    if (hasTurn) readsUnderWay.leave(call.callerName);
    pending?.discard();
  }
}

export function questionOf(operation: AskedName, input: Record<string, unknown>, call: CommandCall) {
  return { operation, input, notAfter: Date.now() + call.waitMs, requestId: call.requestId };
}

/** The wait is over. */
export function unanswered(readiness: Readiness): ApiError {
  return readiness.type === 'coming' ? notReadyInTime(readiness.state) : new ApiError('timeout', noAnswer);
}

const noAnswer = 'the session did not answer in time';

/** The same, where the session worker may have begun. */
function doubtful(): ApiError {
  return new ApiError('timeout', `${noAnswer}; ${mayBeDone}`);
}

function isIdempotent(name: AskedName): boolean {
  const { delivery }: { readonly delivery: string } = operations[name];
  return delivery === 'idempotent';
}
