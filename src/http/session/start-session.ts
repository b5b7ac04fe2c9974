import { ApiError } from '../../contract/errors.js';
import { hasGotSomewhere } from '../../contract/states.js';
import { composeStatus, noSupervisorSentence, type Status } from '../../contract/status.js';
import { pause } from '../../platform/deadline.js';
import { retryMs } from '../../platform/insist.js';
import { endWithoutOwner } from './end-session.js';
import type { RunAccess } from './run-access.js';
import { hasOwner, type RunView } from './run-view.js';

export interface StartWait {
  /** Longest wait for the run to get somewhere. */
  readonly waitMs: number;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/**
 * Asks for a run and waits until it has got somewhere: answers the status of that moment, or of the moment at
 * which the wait ends. The start itself is not given up with the wait.
 */
export async function startSession(run: RunAccess, wait: StartWait): Promise<Status> {
  const deadline = performance.now() + wait.waitMs;
  let view = await run.view();
  const formerWish = view.intent?.id ?? null;
  let leastEpoch: number | null = null;
  for (;;) {
    if (leastEpoch !== null && hasReached(view, leastEpoch)) return view.status;
    if (leastEpoch === null || isLost(view)) {
      leastEpoch = await secureStep(run, view, formerWish);
      if (leastEpoch !== null && hasReached(view, leastEpoch)) return view.status;
    }
    if (isAbandoned(view) || performance.now() >= deadline || wait.signal.aborted) break;
    await run.untilNextLook(wait.signal);
    view = await run.view();
  }
  if (leastEpoch === null) run.inBackground(secureStart(run, formerWish));
  return isAbandoned(view) ? withoutSupervisor(view) : view.status;
}

/**
 * One step towards a run that is sure to come; the least epoch it can have, or null where a further step is
 * needed.
 *
 * An add is lost while the job of an ended run is still there (measured: 100 of 100), and a run that somebody
 * asked to end before this start (`formerWish`) is as good as ended. Both must be gone first.
 */
async function secureStep(run: RunAccess, view: RunView, formerWish: string | null): Promise<number | null> {
  if (view.intent !== null && view.intent.id === formerWish) {
    if (!hasOwner(view)) await endWithoutOwner(run, view, view.intent);
    return null;
  }
  if (view.job === 'over') {
    if (!view.isLocked) await run.removeJob();
    return null;
  }
  if (view.job === 'none' && view.heartbeat !== 'live') await run.addStart();
  if (view.job === 'waiting' && view.heartbeat !== 'live') await run.mendStart();
  const epoch = view.stored?.epoch ?? 0;
  return view.heartbeat === 'ended' ? epoch + 1 : epoch;
}

/** The remaining steps, for a caller who has left; at most for as long as an end may take. */
async function secureStart(run: RunAccess, formerWish: string | null): Promise<void> {
  const deadline = performance.now() + run.timing.endWaitMs;
  let outage: ApiError | null = null;
  while (performance.now() < deadline && !run.closing.aborted) {
    try {
      if ((await secureStep(run, await run.view(), formerWish)) !== null) return;
      outage = null;
      await run.untilNextLook(run.closing);
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'redis_unavailable') throw error;
      // Redis may come back in time, and nobody else would start it.
      outage = error;
      await pause(retryMs, run.closing);
    }
  }
  const why = outage ?? new Error('the run before did not end in time; the session is not started');
  if (!run.closing.aborted) throw why;
}

function hasReached(view: RunView, leastEpoch: number): boolean {
  if (view.status.epoch < leastEpoch) return false;
  if (view.heartbeat === 'live') return hasGotSomewhere(view.status.state);
  // Stopped by somebody else meanwhile, unless a further start is on its way already.
  const isToRun = view.job === 'waiting' || view.job === 'held';
  return view.heartbeat === 'ended' && !(view.status.state === 'stopped' && isToRun);
}

/** The job has gone although nobody asked for that: Redis lost its data, or a removal crossed the start. */
function isLost(view: RunView): boolean {
  return view.job === 'none' && view.heartbeat !== 'live' && view.intent === null;
}

/** Nobody will take the job until a supervisor is started. */
function isAbandoned(view: RunView): boolean {
  return view.heartbeat !== 'live' && view.supervisors === 0;
}

function withoutSupervisor({ status }: RunView): Status {
  return composeStatus(
    status,
    { state: status.state, lastError: noSupervisorSentence, account: status.account },
    status.updated_at,
  );
}
