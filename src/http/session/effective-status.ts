import {
  type Heartbeat,
  isCurrent,
  neverStarted,
  ownerGoneSentence,
  type Status,
  withoutOwner,
} from '../../contract/status.js';
import type { Config } from '../../platform/config/config.js';

export type OwnFacts = Pick<Config, 'authDir' | 'chromeExecutable' | 'headless'> & {
  readonly session: string;
};

/** The status to tell. A stored state without a live owner is told as `disconnected`. */
export function effectiveStatus(stored: Status | null, heartbeat: Heartbeat, own: OwnFacts): Status {
  if (stored === null) return beforeAnyRun(own);
  return isCurrent(stored, heartbeat) ? stored : withoutOwner(stored, ownerGoneSentence);
}

function beforeAnyRun(own: OwnFacts): Status {
  return neverStarted({
    auth_dir: own.authDir,
    chrome_executable: own.chromeExecutable,
    headless: own.headless,
    session: own.session,
  });
}
