import { z } from 'zod';

/**
 * Every duration of the product. Documented variables set a few of them. `WHATSAPP_TIMING` (JSON) overrides any of them, for
 * tests and experts. The numbers of the lease depend on each other: {@link timingContradictions} refuses numbers with which two
 * browsers could run at once.
 */
const ms = (fallback: number, meaning: string) =>
  z.int().positive().max(86_400_000).default(fallback).describe(meaning);

export const timingSchema = z.strictObject({
  lockDurationMs: ms(15_000, "life of a run's lock in Redis without renewal"),
  renewIntervalMs: ms(3_000, 'time between two renewals of the lock'),
  giveUpMs: ms(9_000, 'age of the last good renewal at which a supervisor kills its own browser'),
  guardTimeoutMs: ms(10_000, "silence after which the browser's watchdog process kills it"),
  killAllowanceMs: ms(2_000, 'what killing a browser may take'),
  stalledIntervalMs: ms(1_000, 'time between two checks for runs whose lock has expired'),
  drainDelayMs: ms(2_000, 'longest blocking read of an idle worker'),
  socketTimeoutMs: ms(5_000, 'silence after which a connection to Redis is given up'),
  heartbeatIntervalMs: ms(2_000, "time between two heartbeats of a session's owner"),
  heartbeatTtlMs: ms(6_000, 'age at which a heartbeat counts as missing'),

  startDeadlineMs: ms(60_000, 'from the start of an incarnation to qr, authenticated or ready'),
  syncDeadlineMs: ms(300_000, 'from authenticated to ready'),
  loopBeatIntervalMs: ms(2_000, "time between two signs of life of the thread's event loop"),
  loopHungAfterMs: ms(10_000, 'silence of the thread at which it counts as hung'),
  watchIntervalMs: ms(500, 'time between two checks of the page on the way to ready'),
  pageCheckIntervalMs: ms(5_000, 'time between two checks of the page once ready'),
  pageCheckTimeoutMs: ms(8_000, 'time within which the page must answer'),
  readyGraceMs: ms(2_000, "how long ready waits for the page's own ready event once it is synced"),
  reconnectDeadlineMs: ms(60_000, 'how long a linked page may stay unconnected'),
  pairingCodeMs: ms(180_000, 'how long a pairing code can be typed; after it there are QR codes again'),
  passkeyMs: ms(600_000, 'how long a passkey can be given, and how long a failed attempt can be repeated'),
  passkeyAskMs: ms(10_000, 'how long the page may take to ask for the passkey'),
  passkeyStepMs: ms(120_000, 'how long WhatsApp takes for each step after the passkey'),
  logoutDeadlineMs: ms(10_000, 'time in which the phone must have been told of a logout'),

  threadStopGraceMs: ms(10_000, 'time a thread is given to stop before it is terminated'),
  pageCloseMs: ms(2_000, 'how long a browser may take to close the pages of an earlier thread'),
  browserTermGraceMs: ms(2_000, 'time a browser is given after SIGTERM before SIGKILL'),
  browserFlushGraceMs: ms(8_000, 'the same while a fresh login is not yet on disk'),
  loginSettleMs: ms(6_000, 'how long after the first ready a login may not be on disk yet'),
  keepLoginMs: ms(10_000, 'how long `ready` waits for a fresh login to be saved beside the profile'),
  browserStartMs: ms(20_000, 'from spawning a browser to its first answer'),

  backupIntervalMs: ms(300_000, 'time between two checks whether a login has changed since its last backup'),
  backupFreezeMs: ms(5_000, 'how long a browser may be frozen while its login is copied'),
  backupStopMs: ms(5_000, 'how long the end of a run waits for a last backup'),

  ackDeadlineMs: ms(120_000, "how long a send waits for WhatsApp's acknowledgement"),
  sendHungMs: ms(60_000, 'how long a send may occupy the page before the page is replaced'),

  backoffBaseMs: ms(500, 'first delay before a restart'),
  backoffMaxMs: ms(60_000, 'longest delay before a restart'),
  healthyAfterMs: ms(30_000, 'time in qr or ready after which the backoff is reset'),
  restartWindowMs: ms(1_800_000, 'window in which counted restarts are limited'),
  incompatibleRetryMs: ms(900_000, 'delay before an incompatible page is tried again'),

  memoryCheckMs: ms(60_000, 'time between two checks of the memory of a browser'),
  recycleQuietMs: ms(300_000, 'how long a session must be idle before its browser is replaced'),
  recyclePatienceMs: ms(3_600_000, 'how long a replacement waits for an idle session'),
  recycleSpacingMs: ms(21_600_000, 'min age of a browser that is replaced for its memory'),

  authStartWaitMs: ms(30_000, 'longest wait of POST /api/auth/start without Prefer: wait'),
  commandWaitMs: ms(60_000, 'longest wait of sends, reads and the pairing code without Prefer: wait'),
  endWaitMs: ms(40_000, 'longest wait of POST /api/stop and /api/logout'),
  httpHungMs: ms(15_000, 'silence after which the process that serves HTTP is replaced, in the role all'),
  httpCommandTimeoutMs: ms(600, 'time within which Redis must answer an HTTP replica'),
  shutdownMs: ms(25_000, 'time after which a product that was asked to stop exits regardless'),
});

export type Timing = z.infer<typeof timingSchema>;

/** One sentence for each violated relation between the numbers. */
export function timingContradictions(t: Timing, restartsMax: number): string[] {
  const relations: readonly [boolean, string][] = [
    [
      t.renewIntervalMs * 2 + t.killAllowanceMs < t.giveUpMs,
      `giveUpMs (${t.giveUpMs}) must exceed 2 * renewIntervalMs + killAllowanceMs (${t.renewIntervalMs * 2 + t.killAllowanceMs}), or one lost renewal kills the browser`,
    ],
    [
      t.giveUpMs < t.guardTimeoutMs,
      `guardTimeoutMs (${t.guardTimeoutMs}) must exceed giveUpMs (${t.giveUpMs}): the watchdog is the supervisor's fallback`,
    ],
    [
      t.giveUpMs + t.killAllowanceMs + t.renewIntervalMs <= t.lockDurationMs,
      `lockDurationMs (${t.lockDurationMs}) must be at least giveUpMs + killAllowanceMs + renewIntervalMs (${t.giveUpMs + t.killAllowanceMs + t.renewIntervalMs}), or two browsers could live at once`,
    ],
    [
      t.guardTimeoutMs + t.socketTimeoutMs <= t.lockDurationMs,
      `lockDurationMs (${t.lockDurationMs}) must be at least guardTimeoutMs + socketTimeoutMs (${t.guardTimeoutMs + t.socketTimeoutMs}), or two browsers could live at once`,
    ],
    [
      t.drainDelayMs < t.socketTimeoutMs,
      `socketTimeoutMs (${t.socketTimeoutMs}) must exceed drainDelayMs (${t.drainDelayMs}), or an idle connection is cut again and again`,
    ],
    [
      t.socketTimeoutMs < t.giveUpMs,
      `giveUpMs (${t.giveUpMs}) must exceed socketTimeoutMs (${t.socketTimeoutMs}), or a cut connection is noticed too late to renew`,
    ],
    [
      t.heartbeatIntervalMs * 2 < t.heartbeatTtlMs,
      `heartbeatTtlMs (${t.heartbeatTtlMs}) must exceed 2 * heartbeatIntervalMs (${t.heartbeatIntervalMs * 2})`,
    ],
    [
      t.loopBeatIntervalMs * 2 < t.loopHungAfterMs,
      `loopHungAfterMs (${t.loopHungAfterMs}) must exceed 2 * loopBeatIntervalMs (${t.loopBeatIntervalMs * 2})`,
    ],
    [
      longestStopMs(t) < t.shutdownMs,
      `shutdownMs (${t.shutdownMs}) must exceed threadStopGraceMs plus the longer of browserTermGraceMs and browserFlushGraceMs plus backupStopMs (${longestStopMs(t)}), or a stop is cut off before the login is on the disk and backed up`,
    ],
    [
      t.backupFreezeMs < t.pageCheckTimeoutMs,
      `pageCheckTimeoutMs (${t.pageCheckTimeoutMs}) must exceed backupFreezeMs (${t.backupFreezeMs}), or a backup makes the page look hung`,
    ],
    [
      t.backoffBaseMs <= t.backoffMaxMs,
      `backoffMaxMs (${t.backoffMaxMs}) must be at least backoffBaseMs (${t.backoffBaseMs})`,
    ],
    [
      sumOfBackoffsMs(t, restartsMax) < t.restartWindowMs,
      `restartWindowMs (${t.restartWindowMs}) must exceed the ${restartsMax} backoffs before the limit (${sumOfBackoffsMs(t, restartsMax)} in all), or the limit could never be reached`,
    ],
  ];
  return relations.filter(([holds]) => !holds).map(([, sentence]) => sentence);
}

/** Delay before restart number `attempt` (from 0), without jitter. */
export function backoffMs(t: Pick<Timing, 'backoffBaseMs' | 'backoffMaxMs'>, attempt: number): number {
  return Math.min(t.backoffMaxMs, t.backoffBaseMs * 2 ** Math.min(attempt, 30));
}

function longestStopMs(t: Timing): number {
  return t.threadStopGraceMs + Math.max(t.browserTermGraceMs, t.browserFlushGraceMs) + t.backupStopMs;
}

function sumOfBackoffsMs(t: Timing, restarts: number): number {
  let sum = 0;
  for (let attempt = 0; attempt < restarts; attempt++) sum += backoffMs(t, attempt);
  return sum;
}
