import type { Logger } from '../logger.js';
import type { RedisPaths } from './paths.js';

export interface EmbeddedRedisSettings {
  readonly paths: RedisPaths;
  readonly log: Logger;
  readonly timing: EmbeddedRedisTiming;
}

export interface EmbeddedRedisTiming {
  /** How long a leftover server may be silent before it is killed. */
  readonly answerDeadlineMs: number;
  /** From the start to the first answer; loading the data may take longer. */
  readonly startDeadlineMs: number;
  readonly stopGraceMs: number;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** A server that ran for this long resets the backoff. */
  readonly stableAfterMs: number;
  /** Time between two checks whether an adopted server still runs. */
  readonly watchIntervalMs: number;
}

export const defaultEmbeddedRedisTiming: EmbeddedRedisTiming = {
  answerDeadlineMs: 2_000,
  startDeadlineMs: 30_000,
  stopGraceMs: 10_000,
  backoffMinMs: 100,
  backoffMaxMs: 5_000,
  stableAfterMs: 30_000,
  watchIntervalMs: 250,
};

/** Time between two checks of a server that is starting or ending. */
export const pollIntervalMs = 25;
