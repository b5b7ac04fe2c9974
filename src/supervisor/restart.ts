import { exitPolicy, type IncarnationExit } from '../contract/exit-reasons.js';
import type { Config } from '../platform/config/config.js';
import { pause } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';
import type { SessionBrowser } from './browser/session-browser.js';
import type { Availability, RestartDelay } from './commands/availability.js';
import type { CredentialsBackup } from './credentials/credentials-backup.js';
import type { Incarnation } from './incarnation.js';
import type { RunRecorder } from './metrics/run-recorder.js';
import type { Recycling } from './recycling/recycler.js';
import type { Restart } from './restart-policy.js';
import type { RunPublisher } from './run-publisher.js';
import type { WarmThread } from './warm-thread.js';

/** What a restart touches besides the incarnation. */
export interface RestartParts {
  readonly config: Config;
  readonly threads: WarmThread;
  readonly browser: SessionBrowser;
  readonly backup: CredentialsBackup;
  readonly publisher: RunPublisher;
  readonly availability: Availability;
  readonly recorder: RunRecorder;
  /** The run was asked to end, or is lost. */
  readonly over: AbortSignal;
  /** No grace periods from now on. */
  readonly forced: AbortSignal;
  readonly log: Logger;
}

/** A thread that is needed later than this is not loaded ahead, to save its memory. */
const preloadWithinMs = 2_000;

/**
 * Carries out a restart that restart-policy.ts has decided after a failure: removes what broke, waits for the delay, and
 * publishes `starting` unless the run is over by then.
 */
export async function restart(
  { reason, message }: IncarnationExit,
  { delayMs, restartLevel }: Restart,
  failed: Incarnation | null,
  parts: RestartParts,
): Promise<void> {
  const { threads, browser, publisher, availability, recorder, over, log } = parts;
  // The next thread loads its modules while the old one is torn down and the delay passes.
  if (delayMs < preloadWithinMs) threads.load();
  publisher.lastError = message;
  log.warn({ reason, lastError: message, delayMs, restartLevel }, 'restarting session worker');
  availability.update(null, 'disconnected', delayOf({ reason, message }, delayMs, !browser.mayBeLinked));
  const { wipesProfile, doubtsProfile } = exitPolicy(reason);
  const wipedEpoch = wipesProfile ? await publisher.markWiped() : null;
  // From here on Redis refuses the old thread's writes.
  await publisher.publish('disconnected', {
    deletesAccountData: wipedEpoch !== null,
    loginLost: wipesProfile || doubtsProfile ? message : null,
  });
  await failed?.terminate();
  if (wipedEpoch !== null) await browser.wipe(wipedEpoch);
  if (doubtsProfile) await browser.doubtLogin();
  // During the delay, closes the old thread's pages, or the browser if it must be replaced.
  await Promise.all([browser.clear(restartLevel), pause(delayMs, over)]);
  if (over.aborted) return;
  publisher.restarts++;
  recorder.recordRestart(reason);
  await publisher.publish('starting');
}

/**
 * A planned restart on a new browser. Nothing is broken, so nothing is counted and there is no `last_error`. The old
 * thread stops while it still holds the fence, so that it can write its last events.
 */
export async function recycle(
  { why, message }: Recycling,
  current: Incarnation | null,
  parts: RestartParts,
): Promise<void> {
  const { config, threads, browser, backup, publisher, availability, recorder, forced, log } = parts;
  log.info({ why, message }, 'replacing the browser');
  recorder.recordRecycle(why);
  availability.update(null, 'starting');
  threads.load();
  await backup.stop();
  await current?.stop(config.timing.threadStopGraceMs, forced);
  await publisher.publish('starting');
  await browser.clear('browser');
}

/** The pause before the next start, for the commands that wait. */
function delayOf({ reason, message }: IncarnationExit, delayMs: number, needsScan: boolean): RestartDelay {
  const code = reason === 'incompatible_page' ? 'not_supported_by_page' : 'session_not_ready';
  const seconds = Math.ceil(delayMs / 1_000);
  return {
    until: performance.now() + delayMs,
    code,
    needsScan,
    message: `${message}; the session tries again ${seconds} s after this failure`,
  };
}
