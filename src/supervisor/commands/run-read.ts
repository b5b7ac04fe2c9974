import type { ReadJob, ReadOutcome } from '../../contract/command-jobs.js';
import { messageOf } from '../../contract/errors.js';
import { mayBeDoneSentence } from '../../contract/operations/operation.js';
import { findOperation } from '../../contract/operations.js';
import { CommandRefusedError } from '../thread-rpc.js';
import type { Availability } from './availability.js';

/**
 * Carries out a query or an idempotent operation on the current session worker, or on a later one, within `patienceMs` from
 * now. null: this run is ending, and the next owner takes the job.
 */
export async function runRead(
  job: ReadJob,
  availability: Availability,
  ending: AbortSignal,
  patienceMs: number,
): Promise<ReadOutcome | null> {
  const until = performance.now() + patienceMs;
  const { needs, delivery } = findOperation(job.operation) ?? unlistedOperation;
  const neededState = needs ?? 'ready';
  let mayBeDone = false;
  for (;;) {
    const leftMs = until - performance.now();
    if (leftMs <= 0) return lateAnswer(availability, mayBeDone);
    const incarnation = availability.in(neededState);
    if (incarnation === null) {
      const { restartDelay } = availability;
      if (restartDelay !== null && restartDelay.until > until) {
        return mayBeDone ? lateAnswer(availability, true) : refusal(restartDelay.code, restartDelay.message);
      }
      await availability.change(leftMs, ending);
      if (ending.aborted) return null;
      continue;
    }
    try {
      const options = { timeoutMs: leftMs, requestIds: [job.requestId] };
      return { ok: true, output: await incarnation.commands.call(job.operation, job.input, options) };
    } catch (error) {
      if (error instanceof CommandRefusedError) return refusal(error.code, messageOf(error));
      if (ending.aborted) return null;
      mayBeDone = delivery === 'idempotent';
      // Interrupted. The next incarnation may answer, or this one once its page has reloaded.
      if (availability.in(neededState) === incarnation) {
        await availability.change(Math.min(1_000, until - performance.now()), ending);
      }
    }
  }
}

function lateAnswer({ state }: Availability, mayBeDone: boolean): ReadOutcome {
  const message = `the session (${state}) did not answer in time`;
  return refusal('timeout', mayBeDone ? `${message}; ${mayBeDoneSentence}` : message);
}

/** For an operation that this version does not know. The session worker refuses it if it does not know it either. */
const unlistedOperation = { needs: 'ready', delivery: 'query' } as const;

function refusal(code: string, message: string): ReadOutcome {
  return { ok: false, error: { code, message } };
}
