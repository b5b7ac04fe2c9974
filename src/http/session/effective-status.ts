import { noRoomSentence, type Places, tellsOfOthers } from '../../contract/places.js';
import { type Heartbeat, neverStarted, reportedStatus, type Status } from '../../contract/status.js';
import { type StatusConfig, statusFactsOf } from '../../platform/config/config.js';

/** A session, and the configuration that its status shows before its first run. */
export type ConfiguredSession = StatusConfig & {
  readonly session: string;
  /** The status is for callers who must not learn that there are other sessions. */
  readonly isForBound?: boolean;
};

/** The status that callers get. It is `disconnected` if the stored state has no live owner, and `starting` if a start waits. */
export function effectiveStatus(
  stored: Status | null,
  heartbeat: Heartbeat,
  waiting: Places | null,
  configured: ConfiguredSession,
): Status {
  const status = reportedStatus(stored ?? beforeAnyRun(configured), heartbeat, waiting);
  return configured.isForBound ? forBound(status) : status;
}

/** The status for callers who must not learn that there are other sessions. */
export function forBound(status: Status): Status {
  return tellsOfOthers(status.last_error) ? { ...status, last_error: noRoomSentence } : status;
}

function beforeAnyRun(configured: ConfiguredSession): Status {
  return neverStarted({ ...statusFactsOf(configured), session: configured.session });
}
