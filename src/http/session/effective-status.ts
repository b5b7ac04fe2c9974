import type { Places } from '../../contract/places.js';
import { type Heartbeat, neverStarted, reportedStatus, type Status } from '../../contract/status.js';
import type { Config } from '../../platform/config/config.js';

/** A session, and the configuration that its status shows before its first run. */
export type ConfiguredSession = Pick<Config, 'authDir' | 'chromeExecutable' | 'headless'> & {
  readonly session: string;
};

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
  return neverStarted({
    auth_dir: configured.authDir,
    chrome_executable: configured.chromeExecutable,
    headless: configured.headless,
    session: configured.session,
  });
}
