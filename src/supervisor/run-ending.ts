import { type Intent, type LogoutResult, logoutResults } from '../contract/intent.js';
import type { Timing } from '../contract/timing.js';
import type { Logger } from '../platform/logger.js';
import type { SessionBrowser } from './browser/session-browser.js';
import type { Availability } from './commands/availability.js';
import type { SessionCommands } from './commands/session-commands.js';
import type { CredentialsBackup } from './credentials/credentials-backup.js';
import type { HeartbeatSender } from './heartbeat.js';
import type { Incarnation } from './incarnation.js';
import type { GiveUp } from './restart-policy.js';
import type { RunPublisher } from './run-publisher.js';

/** Why a run stops here. A lost lease stops it without an ending. */
export type Ending =
  /** A stop or a logout was requested. */
  | { readonly type: 'intent'; readonly intent: Intent }
  /** This supervisor closes. The run continues on another one. */
  | { readonly type: 'hand-over' }
  /** Restarts do not help any more. */
  | { readonly type: 'gave-up'; readonly decision: GiveUp }
  /** An unexpected failure: the job fails, and the queue starts it anew. */
  | { readonly type: 'broke'; readonly error: unknown };

interface EndingParts {
  readonly incarnation: Incarnation | null;
  readonly browser: SessionBrowser;
  readonly backup: CredentialsBackup;
  readonly commands: SessionCommands;
  readonly publisher: RunPublisher;
  readonly heartbeat: HeartbeatSender;
  readonly availability: Availability;
  readonly timing: Pick<Timing, 'threadStopGraceMs'>;
  /** No grace periods from now on. */
  readonly forced: AbortSignal;
  readonly log: Logger;
}

/** The log message of an ending that was requested. */
const requested = { stop: 'stopping the session', logout: 'logging the session out' } as const;

/** How long sends that a logout voided may take to settle. The rest settles in the next run. */
const voidedSendsMs = 3_000;

/**
 * Ends a run that still holds its lease: thread, browser, commands, state, in this order. Resolves to what happens
 * to the job. Rejects with the error of an ending that `broke`, and with {@link RunLostError} if the lease is lost first.
 */
export async function endInOrder(ending: Ending, parts: EndingParts): Promise<'ended' | 'handed-over'> {
  const { browser, commands, publisher, heartbeat, log } = parts;
  if (ending.type === 'broke') {
    heartbeat.stop();
    await publisher.stepDown();
    throw ending.error;
  }
  if (ending.type === 'intent') log.info(requested[ending.intent.kind]);
  const result = await stopWork(ending, parts);
  await commands.close();

  // A beat after the last write would bring the heartbeat back.
  heartbeat.stop();
  switch (ending.type) {
    case 'hand-over':
      await publisher.stepDown();
      log.info('session handed over; the next supervisor continues it');
      return 'handed-over';
    case 'gave-up':
      await browser.noteUnwanted();
      publisher.lastError = ending.decision.message;
      log.error(
        { reason: ending.decision.message },
        'gave the session up; it stays down until its next start',
      );
      await publisher.end(ending.decision.state, null);
      return 'ended';
    case 'intent':
      await browser.noteUnwanted();
      publisher.lastError = null;
      await publisher.end('stopped', ending.intent, result);
      return 'ended';
    default:
      return ending satisfies never;
  }
}

/** Stops thread and browser. A logout also voids the login. Resolves to what it achieved; to null if it was none. */
async function stopWork(ending: Ending, parts: EndingParts): Promise<LogoutResult | null> {
  const { incarnation, browser, backup, commands, publisher, availability, timing, forced } = parts;
  availability.update(null, 'stopped');
  const isWorthKeeping = await backup.stop();
  const isLogout = ending.type === 'intent' && ending.intent.kind === 'logout';
  const withoutPage = publisher.account === null ? logoutResults.nothingLinked : logoutResults.notTold;
  const result = isLogout ? ((await incarnation?.logout()) ?? withoutPage) : null;
  await incarnation?.stop(timing.threadStopGraceMs, forced);
  if (isLogout) {
    await browser.wipe(await publisher.markWiped());
    await commands.settleVoidedSends(voidedSendsMs);
  } else {
    await browser.stop();
    if (isWorthKeeping) await backup.backUpAtEnd(forced);
  }
  return result;
}
