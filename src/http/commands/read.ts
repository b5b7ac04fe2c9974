import { ApiError } from '../../contract/errors.js';
import { type InputOf, type OutputOf, operations, type ReadName } from '../../contract/operations.js';
import type { CommandAccess, CommandCall } from './context.js';
import { answerOf, ask, type PendingRead } from './pending-read.js';
import { judgeReadiness, notReadyInTime, type Readiness } from './readiness.js';

/**
 * Asks the session worker and waits for its answer, also while the session is on its way to `ready`. The
 * question is in Redis from the start: whoever owns the session next may answer it. Only where its caller has as many there
 * as may be, it waits here for one of them to end.
 *
 * Throws what the session's state forbids, `session_not_ready` or `timeout` when the wait is over, and what the
 * session worker refuses.
 */
export async function readSession<Name extends Exclude<ReadName, 'pairingCode'>>(
  access: CommandAccess,
  operation: Name,
  input: InputOf<Name>,
  call: CommandCall,
): Promise<OutputOf<Name>> {
  const { run, readsUnderWay, onBound } = access;
  const deadline = performance.now() + call.waitMs;
  let pending: PendingRead | null = null;
  let hasTurn = false;
  let hasWaited = false;
  try {
    for (;;) {
      const [view, outcome] = await Promise.all([run.view(), pending?.outcome() ?? null]);
      if (outcome !== null) return operations[operation].output.parse(answerOf(outcome)) as OutputOf<Name>;
      const readiness = judgeReadiness(view, call.baseUrl);
      if (readiness.type === 'refused') throw readiness.error;
      hasTurn ||= readsUnderWay.tryEnter(call.callerName);
      if (hasTurn) pending ??= await ask(access, questionOf(operation, input, call));
      else if (!hasWaited) {
        hasWaited = true;
        onBound('readsPerCaller');
      }
      if (performance.now() >= deadline || call.signal.aborted) throw unanswered(readiness);
      await run.untilNextLook(call.signal);
    }
  } finally {
    if (hasTurn) readsUnderWay.leave(call.callerName);
    pending?.discard();
  }
}

export function questionOf(operation: ReadName, input: Record<string, unknown>, call: CommandCall) {
  return { operation, input, notAfter: Date.now() + call.waitMs, requestId: call.requestId };
}

/** The wait is over. */
export function unanswered(readiness: Readiness): ApiError {
  return readiness.type === 'coming'
    ? notReadyInTime(readiness.state)
    : new ApiError('timeout', 'the session did not answer in time');
}
