import { randomUUID } from 'node:crypto';
import { ApiError } from '../../contract/errors.js';
import type { Intent } from '../../contract/intent.js';
import { composeStatus } from '../../contract/status.js';
import type { RunAccess } from './run-access.js';
import { hasOwner, type RunView } from './run-view.js';

/**
 * Ends the session's run, whichever supervisor owns it, and resolves when it has ended.
 *
 * The intent is recorded first. The owner carries it out; without an owner, this loop does. If the owner dies in between, the
 * next owner or this loop takes over. An intent joins one that is recorded already; a logout covers a stop. The loop goes on
 * when the caller leaves, so that no run is left half ended.
 *
 * Throws `timeout` when the owner neither carried it out nor died in time. The intent stays recorded.
 */
export async function endSession(run: RunAccess, kind: Intent['kind']): Promise<{ unlinked: boolean }> {
  if (kind === 'stop' && isAtRest(await run.view())) return { unlinked: false };

  const deadline = performance.now() + run.timing.endWaitMs;
  let intent = await run.requestEnd({ id: randomUUID(), kind });
  while (performance.now() < deadline && !run.closing.aborted) {
    const view = await run.view();
    if (view.outcome?.id === intent.id) return view.outcome;
    if (view.intent?.id !== intent.id) {
      if (view.intent) intent = view.intent;
      // It was carried out, and another intent too by now; or Redis has lost it.
      else if (view.outcome) return view.outcome;
      else intent = await run.requestEnd(intent);
    } else if (hasOwner(view)) await run.untilNextLook(run.closing);
    else if (await endWithoutOwner(run, view, intent)) return { unlinked: false };
  }
  throw new ApiError(
    'timeout',
    `the session has not ended yet; the ${intent.kind} stays recorded and will be carried out`,
  );
}

/** Carries an intent out for a run without an owner. False: the run has an owner by now; read it again. */
export async function endWithoutOwner(run: RunAccess, view: RunView, intent: Intent): Promise<boolean> {
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
    intent: intent,
    unlinked: false,
  });
  if (!hasEnded) return false;
  run.log.info({ session: run.session, epoch, kind: intent.kind }, 'ended a run without an owner');
  if (intent.kind === 'logout') await run.clearUnsentMessages();
  return true;
}

function isAtRest(view: RunView): boolean {
  return view.status.state === 'stopped' && view.job === 'none' && view.intent === null && !hasOwner(view);
}
