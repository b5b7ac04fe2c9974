import { randomUUID } from 'node:crypto';
import { ApiError } from '../../contract/errors.js';
import { type Intent, type LogoutResult, logoutResults } from '../../contract/intent.js';
import { composeStatus, isLinkedState } from '../../contract/status.js';
import type { RunControl } from './run-control.js';
import { hasOwner, type RunView } from './run-view.js';

/**
 * Ends the session's run, whichever supervisor owns it, and resolves when it has ended.
 *
 * The intent is recorded first. The owner carries it out. Without an owner, this loop does. If the owner dies in between, the next
 * owner or this loop takes over. An intent joins one that is already recorded; a logout covers a stop. If the caller leaves, the
 * loop goes on, so that no run is left half ended.
 *
 * Resolves to what a logout achieved. Throws `timeout` if the owner neither carries the intent out nor dies in time. The intent
 * stays recorded.
 */
export async function endSession(run: RunControl, kind: Intent['kind']): Promise<LogoutResult> {
  if (kind === 'stop' && isStopped(await run.readView())) {
    await run.noteStart();
    return { unlinked: false, reason: null };
  }

  const deadline = performance.now() + run.timing.endWaitMs;
  let intent = await run.requestEnd({ id: randomUUID(), kind });
  while (performance.now() < deadline && !run.closing.aborted) {
    const view = await run.readView();
    if (view.outcome?.id === intent.id) return view.outcome;
    if (view.intent?.id !== intent.id) {
      if (view.intent) intent = view.intent;
      // The intent was carried out, and another one after it. Or Redis has lost the intent.
      else if (view.outcome) return view.outcome;
      else intent = await run.requestEnd(intent);
    } else if (hasOwner(view)) await run.untilNextRead(run.closing);
    else if (await endWithoutOwner(run, view, intent)) return resultWithoutOwner(view);
  }
  throw new ApiError(
    'timeout',
    `the session has not ended yet; the ${intent.kind} stays recorded and will be carried out`,
  );
}

/** Logs the session out, as {@link endSession} does. Resolves to what callers get. */
export async function logOut(run: RunControl): Promise<LogoutResult> {
  const { unlinked, reason } = await endSession(run, 'logout');
  // An owner of an earlier version gives no reason.
  return { unlinked, reason: unlinked ? null : (reason ?? logoutResults.notTold.reason) };
}

/** The log message of an intent that a replica has carried out. There may have been no run at all. */
const ended = {
  stop: 'session stopped; no supervisor was running it',
  logout: 'session logged out; no supervisor was running it',
} as const;

/** Carries out an intent for a run without an owner. Returns false if the run has an owner by now: read it again. */
export async function endWithoutOwner(run: RunControl, view: RunView, intent: Intent): Promise<boolean> {
  if (view.job !== 'none' && !(await run.removeJob())) return false;
  const epoch = Math.max((view.fence?.epoch ?? 0) + 1, view.nowMs);
  const account = intent.kind === 'logout' ? null : view.status.account;
  const hasEnded = await run.endRun({
    expected: view.fence,
    status: composeStatus(
      { ...view.status, epoch, incarnation: 0, restarts: 0, supervisor: null },
      { state: 'stopped', lastError: null, account },
      new Date(view.nowMs).toISOString(),
    ),
    startId: '',
    intent,
    ...(intent.kind === 'logout' ? resultWithoutOwner(view) : {}),
  });
  if (!hasEnded) return false;
  run.log.info({ session: run.session, epoch }, ended[intent.kind]);
  if (intent.kind === 'logout') await run.clearUnsentMessages();
  return true;
}

/** What a logout achieves that no supervisor can tell WhatsApp. */
function resultWithoutOwner({ stored }: RunView): LogoutResult {
  const isLinked = stored !== null && (stored.account !== null || isLinkedState(stored.state));
  return isLinked ? logoutResults.noOwner : logoutResults.nothingLinked;
}

function isStopped(view: RunView): boolean {
  return view.status.state === 'stopped' && view.job === 'none' && view.intent === null && !hasOwner(view);
}
