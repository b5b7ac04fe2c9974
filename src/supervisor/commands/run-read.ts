import type { ReadJob, ReadOutcome } from '../../contract/command-jobs.js';
import { messageOf } from '../../contract/errors.js';
import type { Availability } from './availability.js';
import { CommandRefusedError } from './thread-rpc.js';

/**
 * Carries out a read for somebody who waits: on the session worker that there is, or on the next one while time
 * is left: `patienceMs` from now. null: the run ends here; the job is for the next owner.
 */
export async function runRead(
  job: ReadJob,
  availability: Availability,
  ending: AbortSignal,
  patienceMs: number,
): Promise<ReadOutcome | null> {
  const until = performance.now() + patienceMs;
  const neededState = job.operation === 'pairingCode' ? 'qr' : 'ready';
  for (;;) {
    const leftMs = until - performance.now();
    if (leftMs <= 0) return refusal('timeout', `the session (${availability.state}) did not answer in time`);
    const incarnation = availability.in(neededState);
    if (incarnation === null) {
      const { rest } = availability;
      if (rest !== null && rest.until > until) return refusal(rest.code, rest.message);
      await availability.change(leftMs, ending);
      if (ending.aborted) return null;
      continue;
    }
    try {
      const how = { timeoutMs: leftMs, requestIds: [job.requestId] };
      return { ok: true, output: await incarnation.commands.call(job.operation, job.input, how) };
    } catch (error) {
      if (error instanceof CommandRefusedError) return refusal(error.code, messageOf(error));
      if (ending.aborted) return null;
      // Interrupted: the next incarnation may answer, or the same one, once its page has loaded anew.
      if (availability.in(neededState) === incarnation) {
        await availability.change(Math.min(1_000, until - performance.now()), ending);
      }
    }
  }
}

function refusal(code: string, message: string): ReadOutcome {
  return { ok: false, error: { code, message } };
}
