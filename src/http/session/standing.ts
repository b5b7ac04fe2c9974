import { neverStarted, ownerGoneSentence, type Status, withoutOwner } from '../../contract/status.js';
import type { Config } from '../../platform/config.js';

/** What stands behind a stored state: its owner, its final end, or nobody. */
export type Heartbeat = 'live' | 'ended' | null;

export type OwnFacts = Pick<Config, 'authDir' | 'chromeExecutable' | 'headless'> & {
  readonly session: string;
};

/** Whether the stored status is to be told as it is. */
export function isCurrent(stored: Status, heartbeat: Heartbeat): boolean {
  return heartbeat !== null || stored.state === 'stopped';
}

/** The status that a reader tells: a state that nobody stands behind any more is history. */
export function toldStatus(stored: Status | null, heartbeat: Heartbeat, own: OwnFacts): Status {
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

export function parseHeartbeat(text: string | null): Heartbeat {
  return text === 'live' || text === 'ended' ? text : null;
}
