import type { Timing } from '../../src/contract/timing.js';

/** The timing table at about a third of the usual values, for tests that wait outages out. Every relation holds. */
export const scaledTiming = {
  lockDurationMs: 5_000,
  renewIntervalMs: 500,
  giveUpMs: 2_600,
  guardTimeoutMs: 3_000,
  killAllowanceMs: 1_000,
  stalledIntervalMs: 500,
  drainDelayMs: 1_000,
  socketTimeoutMs: 2_000,
  heartbeatIntervalMs: 600,
  heartbeatTtlMs: 2_000,
  loopBeatIntervalMs: 200,
  loopHungAfterMs: 4_000,
  threadStopGraceMs: 1_500,
  browserTermGraceMs: 1_000,
  browserFlushGraceMs: 1_000,
  loginSettleMs: 100,
  backupIntervalMs: 500,
  backupStopMs: 2_000,
  logoutDeadlineMs: 1_000,
  backoffBaseMs: 100,
  backoffMaxMs: 1_000,
  shutdownMs: 10_000,
} as const satisfies Partial<Timing>;

/** Variables of a supervisor with a scripted browser. */
export function supervisorEnvironment(options: {
  readonly redisUrl: string;
  readonly authDir: string;
  readonly browserExecutable: string;
  readonly timing?: Partial<Timing>;
  readonly restartsMax?: number;
}): Record<string, string> {
  return {
    REDIS_URL: options.redisUrl,
    WHATSAPP_AUTH_DIR: options.authDir,
    WHATSAPP_CHROME_EXECUTABLE: options.browserExecutable,
    WHATSAPP_RESTARTS_MAX: String(options.restartsMax ?? 10),
    WHATSAPP_TIMING: JSON.stringify(options.timing ?? {}),
  };
}
