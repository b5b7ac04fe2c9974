import type { Places } from '../../contract/places.js';
import { type Heartbeat, neverStarted, reportedStatus, type Status } from '../../contract/status.js';
import { type StatusConfig, statusFactsOf } from '../../platform/config/config.js';

/** A session, and the configuration that its status shows before its first run. */
export type ConfiguredSession = StatusConfig & { readonly session: string };

/** The status that callers get. It is `disconnected` if the stored state has no live owner, and `starting` if a start waits. */
export function effectiveStatus(
  stored: Status | null,
  heartbeat: Heartbeat,
  waiting: Places | null,
  configured: ConfiguredSession,
): Status {
  return reportedStatus(stored ?? beforeAnyRun(configured), heartbeat, waiting);
}

function beforeAnyRun(configured: ConfiguredSession): Status {
  return neverStarted({ ...statusFactsOf(configured), session: configured.session });
}
