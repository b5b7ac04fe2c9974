import { ApiError } from '../../contract/errors.js';
import { isStartSettled } from '../../contract/state-transitions.js';
import { composeStatus, noSupervisorSentence, type Status } from '../../contract/status.js';
import { pause } from '../../platform/deadline.js';
import { redisRetryMs } from '../../platform/retry.js';
import { endWithoutOwner } from './end-session.js';
import type { RunControl } from './run-control.js';
import { hasOwner, type RunView } from './run-view.js';

export interface StartWait {
  /** Longest wait for a QR, a login or a failure. */
  readonly waitMs: number;
  /** Aborts when the caller no longer waits for the answer. */
  readonly signal: AbortSignal;
}

/**
 * Starts a run and waits until there is a QR, a login or a failure. Resolves to the status of that moment, or of the end of the
 * wait. The start goes on after the wait.
 */
export async function startSession(run: RunControl, wait: StartWait): Promise<Status> {
  const deadline = performance.now() + wait.waitMs;
  let view = await run.readView();
  const earlierIntentId = view.intent?.id ?? null;
  let minEpoch: number | null = null;
  for (;;) {
    if (minEpoch !== null && hasReached(view, minEpoch)) return view.status;
    if (minEpoch === null || isLost(view)) {
      minEpoch = await stepTowardsRun(run, view, earlierIntentId);
      if (minEpoch !== null && hasReached(view, minEpoch)) return view.status;
    }
    if (isAbandoned(view) || performance.now() >= deadline || wait.signal.aborted) break;
    await run.untilNextRead(wait.signal);
    view = await run.readView();
  }
  if (minEpoch === null) run.inBackground(finishStart(run, earlierIntentId));
  // The last step has changed it.
  else view = await run.readView();
  return isAbandoned(view) ? withoutSupervisor(view) : view.status;
}

/**
 * Takes one step towards the start. Returns the smallest epoch of the run that answers this start, once that run is certain. Returns
 * null if a further step is needed.
 *
 * Two things must be gone before a start is added:
 * 1. The job of an ended run: while it exists, an added start is lost (measured: 100 of 100).
 * 2. A run that was asked to end before this start (`earlierIntentId`): wait for its end.
 */
async function stepTowardsRun(
  run: RunControl,
  view: RunView,
  earlierIntentId: string | null,
): Promise<number | null> {
  if (view.intent !== null && view.intent.id === earlierIntentId) {
    if (!hasOwner(view)) await endWithoutOwner(run, view, view.intent);
    return null;
  }
  if (view.job === 'over') {
    if (!view.isLocked) await run.removeJob();
    return null;
  }
  if (view.job === 'none' && view.heartbeat !== 'live') await run.addStart();
  if (view.job === 'waiting' && view.heartbeat !== 'live') await run.repairStart();
  const epoch = view.stored?.epoch ?? 0;
  return view.heartbeat === 'ended' ? epoch + 1 : epoch;
}

/** Takes the remaining steps after the caller has left. They may take as long as the end of a run. */
async function finishStart(run: RunControl, earlierIntentId: string | null): Promise<void> {
  const deadline = performance.now() + run.timing.endWaitMs;
  let outage: ApiError | null = null;
  while (performance.now() < deadline && !run.closing.aborted) {
    try {
      if ((await stepTowardsRun(run, await run.readView(), earlierIntentId)) !== null) return;
      outage = null;
      await run.untilNextRead(run.closing);
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'redis_unavailable') throw error;
      // Redis may come back in time. Without a retry this start would be lost.
      outage = error;
      await pause(redisRetryMs, run.closing);
    }
  }
  const why = outage ?? new Error('the previous run did not end in time; the session is not started');
  if (!run.closing.aborted) throw why;
}

function hasReached(view: RunView, minEpoch: number): boolean {
  if (view.status.epoch < minEpoch) return false;
  if (view.heartbeat === 'live') return isStartSettled(view.status.state);
  // The run has ended. `stopped` counts as a result only if no further start waits or is taken already.
  const isToRun = view.job === 'waiting' || view.job === 'held';
  return view.heartbeat === 'ended' && !(view.stored?.state === 'stopped' && isToRun);
}

/** The job is gone, and no intent explains it: Redis lost its data, or the job was removed at the same time as it was added. */
function isLost(view: RunView): boolean {
  return view.job === 'none' && view.heartbeat !== 'live' && view.intent === null;
}

/** There is no owner, and no supervisor that could take the job. */
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
