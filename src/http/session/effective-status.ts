import { noRoomSentence, type Places, tellsOfOthers } from '../../contract/places.js';
import { type Heartbeat, neverStarted, reportedStatus, type Status } from '../../contract/status.js';
import { type StatusConfig, statusFactsOf } from '../../platform/config/config.js';
import type { Caller } from '../core/caller.js';

/** A session, and the configuration that its status shows before its first run. */
export type ConfiguredSession = StatusConfig & { readonly session: string };

/**
 * The whole status of a session, before {@link toldTo}. It is `disconnected` if the stored state has no live owner, and `starting` if a
 * start waits.
 */
export function effectiveStatus(
  stored: Status | null,
  heartbeat: Heartbeat,
  waiting: Places | null,
  configured: ConfiguredSession,
): Status {
  return reportedStatus(stored ?? beforeAnyRun(configured), heartbeat, waiting);
}

/** What decides how much of a status the caller may see. */
export type StatusCaller = Pick<Caller, 'boundTo'>;

/** The status as this caller may see it. Every answer with the status of a session that may wait goes through it. */
export function toldTo({ boundTo }: StatusCaller, status: Status): Status {
  return boundTo === null ? status : forBound(status);
}

/** The status for callers who must not learn that there are other sessions. */
export function forBound(status: Status): Status {
  return tellsOfOthers(status.last_error) ? { ...status, last_error: noRoomSentence } : status;
}

function beforeAnyRun(configured: ConfiguredSession): Status {
  return neverStarted({ ...statusFactsOf(configured), session: configured.session });
}
