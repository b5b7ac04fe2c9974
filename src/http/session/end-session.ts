import { randomUUID } from 'node:crypto';
import { ApiError } from '../../contract/errors.js';
import type { Intent } from '../../contract/intent.js';
import { composeStatus } from '../../contract/status.js';
import type { RunAccess } from './run-access.js';
import { hasOwner, type RunView } from './run-view.js';

/**
 * Ends the session's run, whoever owns it, and answers when it has ended.
 *
 * The wish is recorded first and carried out by the owner; where there is none, here. An owner that dies in
 * between leaves the wish to the next one, or to this loop. Recorded wishes are joined: a stop by a logout
 * too. It goes on when the caller leaves: half an end would be worse than one nobody waits for.
 *
 * Throws `timeout` when an owner neither did it nor died in time; the wish stays recorded.
 */
export async function endSession(run: RunAccess, kind: Intent['kind']): Promise<{ unlinked: boolean }> {
  if (kind === 'stop' && isAtRest(await run.view())) return { unlinked: false };

  const deadline = performance.now() + run.timing.endWaitMs;
  let wish = await run.requestEnd({ id: randomUUID(), kind });
  while (performance.now() < deadline && !run.closing.aborted) {
    const view = await run.view();
    if (view.outcome?.id === wish.id) return view.outcome;
    if (view.intent?.id !== wish.id) {
      if (view.intent) wish = view.intent;
      // Carried out, and by now another wish too; or Redis has lost it.
      else if (view.outcome) return view.outcome;
      else wish = await run.requestEnd(wish);
    } else if (hasOwner(view)) await run.untilNextLook(run.closing);
    else if (await endWithoutOwner(run, view, wish)) return { unlinked: false };
  }
  throw new ApiError(
    'timeout',
    `the session has not ended yet; the ${wish.kind} stays recorded and will be carried out`,
  );
}

/** Carries a wish out where nobody else can. False: somebody got hold of the run meanwhile; look again. */
export async function endWithoutOwner(run: RunAccess, view: RunView, wish: Intent): Promise<boolean> {
  if (view.job !== 'none' && !(await run.removeJob())) return false;
  const epoch = Math.max((view.fence?.epoch ?? 0) + 1, view.nowMs);
  const account = wish.kind === 'logout' ? null : view.status.account;
  const hasEnded = await run.endRun({
    expected: view.fence,
    status: composeStatus(
      { ...view.status, epoch, incarnation: 0, restarts: 0, supervisor: null },
      { state: 'stopped', lastError: null, account },
      new Date(view.nowMs).toISOString(),
    ),
    startId: '',
    intent: wish,
    unlinked: false,
  });
  if (!hasEnded) return false;
  run.log.info({ session: run.session, epoch, kind: wish.kind }, 'ended a run without an owner');
  if (wish.kind === 'logout') await run.clearUnsentMessages();
  return true;
}

function isAtRest(view: RunView): boolean {
  return view.status.state === 'stopped' && view.job === 'none' && view.intent === null && !hasOwner(view);
}
