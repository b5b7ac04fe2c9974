import { memoizeLast } from '../core/coalesce.js';
import type { StatusCaller } from './effective-status.js';
import type { RunControl } from './run-control.js';
import type { RunView } from './run-view.js';
import type { QrView, SessionReader } from './session-reader.js';

/** Everything that a page about the session shows. */
export interface QrPageView extends QrView {
  /** A start that no supervisor has taken yet. `unattended`: there is no supervisor that could take it. */
  readonly start: 'none' | 'waiting' | 'unattended';
  /** A supervisor lives. Read only while the session has no owner. */
  readonly hasSupervisor: boolean;
  /** The result of a stop or logout, for a minute after it. */
  readonly ended: { readonly unlinked: boolean; readonly reason: string | null } | null;
}

/**
 * Reads it. With an owner the state says everything. Without one, the queue of starts and the supervisors belong to the answer.
 * While nothing changes, the result is the same object, unless the caller may not see the whole status.
 */
export function createQrPageReader(
  reader: SessionReader,
  run: RunControl,
): (caller: StatusCaller) => Promise<QrPageView> {
  const compose = memoizeLast(
    (
      view: QrView,
      start: QrPageView['start'],
      hasSupervisor: boolean,
      unlinked: boolean | null,
      reason: string | null,
    ): QrPageView => ({
      ...{ ...view, start, hasSupervisor },
      ended: unlinked === null ? null : { unlinked, reason },
    }),
  );
  return async (caller) => {
    const view = await reader.qr(caller);
    if (view.heartbeat === 'live') return compose(view, 'none', true, null, null);
    const { job, supervisors, outcome } = await run.readView();
    const hasSupervisor = supervisors > 0;
    const start = !isStarting(view, job) ? 'none' : hasSupervisor ? 'waiting' : 'unattended';
    return compose(view, start, hasSupervisor, outcome?.unlinked ?? null, outcome?.reason ?? null);
  };
}

/** A start waits. A run whose owner has gone is continued, not started. */
function isStarting({ status, heartbeat }: QrView, job: RunView['job']): boolean {
  return (
    (job === 'waiting' || job === 'held') &&
    (heartbeat === 'ended' || status.state === 'stopped' || status.state === 'starting')
  );
}
