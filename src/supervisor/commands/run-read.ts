import { bounds } from '../../contract/bounds.js';
import type { ReadJob, ReadOutcome } from '../../contract/command-jobs.js';
import { messageOf } from '../../contract/errors.js';
import { cutText } from '../../contract/json-size.js';
import { mayBeDoneSentence } from '../../contract/operations/operation.js';
import { findWorkerOperation } from '../../contract/operations.js';
import { noPasskeyAsked } from '../../contract/passkey.js';
import { CommandRefusedError } from '../thread-rpc.js';
import type { Availability } from './availability.js';

const passkeyGraceMs = 500;

/**
 * Carries out a query or an idempotent operation on the current session worker, or on a later one, within `patienceMs` from
 * now. Refuses any other job: nothing in Redis reaches the session worker unchecked. null: this run is ending, and the next
 * owner takes the job.
 */
export async function runRead(
  job: ReadJob,
  availability: Availability,
  ending: AbortSignal,
  patienceMs: number,
): Promise<ReadOutcome | null> {
  const until = performance.now() + patienceMs;
  const operation = findWorkerOperation(job.operation);
  if (operation === null) return tooOld(`"${job.operation}"`);
  // Fields that a later version added are ignored.
  const input = (operation.command ?? operation.input).strip().safeParse(job.input);
  if (!input.success) return tooOld(`this input of "${job.operation}"`);
  const { name, needs, delivery } = operation;
  let mayBeDone = false;
  for (;;) {
    const leftMs = until - performance.now();
    if (leftMs <= 0) return lateAnswer(availability, mayBeDone);
    const incarnation = availability.in(needs);
    if (incarnation === null && needs === 'passkey_required') {
      // A request for a passkey does not come back. Redis may know of a new one a moment earlier.
      await availability.change(Math.min(passkeyGraceMs, leftMs), ending);
      if (ending.aborted) return null;
      if (availability.in(needs) !== null) continue;
      return mayBeDone
        ? lateAnswer(availability, true)
        : refusal('passkey_not_pending', noPasskeyAsked(availability.state));
    }
    if (incarnation === null) {
      const { restartDelay } = availability;
      if (restartDelay?.needsScan && needs === 'ready' && !mayBeDone) {
        return refusal(restartDelay.code, `no phone is linked; ${restartDelay.message}`);
      }
      if (restartDelay !== null && restartDelay.until > until) {
        return mayBeDone ? lateAnswer(availability, true) : refusal(restartDelay.code, restartDelay.message);
      }
      await availability.change(leftMs, ending);
      if (ending.aborted) return null;
      continue;
    }
    try {
      const options = { timeoutMs: leftMs, requestIds: [job.requestId] };
      return { ok: true, output: await incarnation.commands.call(name, input.data, options) };
    } catch (error) {
      if (error instanceof CommandRefusedError) return refusal(error.code, messageOf(error));
      if (ending.aborted) return null;
      mayBeDone = delivery === 'idempotent';
      // Interrupted. The next incarnation may answer, or this one once its page has reloaded.
      if (availability.in(needs) === incarnation) {
        await availability.change(Math.min(1_000, until - performance.now()), ending);
      }
    }
  }
}

function lateAnswer({ state }: Availability, mayBeDone: boolean): ReadOutcome {
  const message = `the session (${state}) did not answer in time`;
  return refusal('timeout', mayBeDone ? `${message}; ${mayBeDoneSentence}` : message);
}

/** The API is of a later version than this supervisor, e.g. in the middle of an upgrade. */
function tooOld(what: string): ReadOutcome {
  const message = `the supervisor of this session does not know ${what} yet: run the version of the API there, too`;
  return refusal('session_not_ready', cutText(message, bounds.statusText));
}

function refusal(code: string, message: string): ReadOutcome {
  return { ok: false, error: { code, message } };
}
