import { ApiError } from '../../contract/errors.js';
import { isStartSettled } from '../../contract/states.js';
import { composeStatus, noSupervisorSentence, type Status } from '../../contract/status.js';
import { pause } from '../../platform/deadline.js';
import { redisRetryMs } from '../../platform/retry.js';
import { endWithoutOwner } from './end-session.js';
import type { RunAccess } from './run-access.js';
import { hasOwner, type RunView } from './run-view.js';

export interface StartWait {
  /** Longest wait for a QR, a login or a failure. */
  readonly waitMs: number;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/**
 * Asks for a run and waits until there is a QR, a login or a failure. Resolves to the status of that moment, or of the end of
 * the wait. The start goes on after the wait.
 */
export async function startSession(run: RunAccess, wait: StartWait): Promise<Status> {
  const deadline = performance.now() + wait.waitMs;
  let view = await run.view();
  const formerIntent = view.intent?.id ?? null;
  let leastEpoch: number | null = null;
  for (;;) {
    if (leastEpoch !== null && hasReached(view, leastEpoch)) return view.status;
    if (leastEpoch === null || isLost(view)) {
      leastEpoch = await secureStep(run, view, formerIntent);
      if (leastEpoch !== null && hasReached(view, leastEpoch)) return view.status;
    }
    if (isAbandoned(view) || performance.now() >= deadline || wait.signal.aborted) break;
    await run.untilNextLook(wait.signal);
    view = await run.view();
  }
  if (leastEpoch === null) run.inBackground(secureStart(run, formerIntent));
  return isAbandoned(view) ? withoutSupervisor(view) : view.status;
}

/**
 * One step towards a run that is sure to come. Returns the least epoch that it can have; null: a further step is needed.
 *
 * Two things must be gone first. While the job of an ended run exists, an add is lost (measured: 100 of 100). And a run whose
 * end was asked for before this start (`formerIntent`) counts as ended.
 */
async function secureStep(
  run: RunAccess,
  view: RunView,
  formerIntent: string | null,
): Promise<number | null> {
  if (view.intent !== null && view.intent.id === formerIntent) {
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

/** The remaining steps, for a caller who has left. They take at most as long as an end may take. */
async function secureStart(run: RunAccess, formerIntent: string | null): Promise<void> {
  const deadline = performance.now() + run.timing.endWaitMs;
  let outage: ApiError | null = null;
  while (performance.now() < deadline && !run.closing.aborted) {
    try {
      if ((await secureStep(run, await run.view(), formerIntent)) !== null) return;
      outage = null;
      await run.untilNextLook(run.closing);
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'redis_unavailable') throw error;
      // Redis may come back in time, and this start would be lost.
      outage = error;
      await pause(redisRetryMs, run.closing);
    }
  }
  const why = outage ?? new Error('the run before did not end in time; the session is not started');
  if (!run.closing.aborted) throw why;
}

function hasReached(view: RunView, leastEpoch: number): boolean {
  if (view.status.epoch < leastEpoch) return false;
  if (view.heartbeat === 'live') return isStartSettled(view.status.state);
  // Another caller stopped it, unless a further start is on its way.
  const isToRun = view.job === 'waiting' || view.job === 'held';
  return view.heartbeat === 'ended' && !(view.status.state === 'stopped' && isToRun);
}

/** The job is gone without an intent to end it: Redis lost its data, or a removal crossed the start. */
function isLost(view: RunView): boolean {
  return view.job === 'none' && view.heartbeat !== 'live' && view.intent === null;
}

/** No supervisor is there to take the job. */
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
