import { setTimeout as sleep } from 'node:timers/promises';
import type { Status } from '../../../src/contract/status.js';
import type { Replica } from '../http-replica.js';
import type { RedisServer } from '../redis-server.js';

/** The states in which a fault can hit. The session can be held in each of them. */
export type HeldState = 'starting' | 'qr' | 'authenticated' | 'ready';

/** A session whose status was checked against what runs. */
export interface SteadySession {
  readonly status: Status;
  /** Pid of its only browser. */
  readonly browser: number;
}

/** A fault, and the recovery that must follow. */
export interface FaultRow<Stage, Held extends SteadySession = SteadySession> {
  /** Completes the title: `ready: <fault>`. */
  readonly fault: string;
  /** The states to inject it in, the most dangerous first. `npm test` runs that one, `npm run test:faults` all. */
  readonly states: readonly [HeldState, ...HeldState[]];
  /** Injects the fault. Resolves when it is over, or when it has had its full effect; a string goes into the report. */
  readonly inject: (stage: Stage, before: Held) => Promise<unknown>;
  readonly expect: Expectation;
  /** What differs from `expect` in these states. */
  readonly expectIn?: Partial<Record<HeldState, Partial<Expectation>>>;
  /** Takes minutes, so `npm test` leaves it out. */
  readonly isLong?: true;
}

export interface Expectation {
  /**
   * What runs the session afterwards. `undisturbed`: the same thread, and the status never changed. `same thread`: the
   * status may have changed meanwhile. `same browser`: a new thread on it. `new browser`: a new thread and browser in the
   * same run. `same run`: the same run; thread and browser may be new. `same owner`, `standby`, `anybody`: a new run there.
   */
  readonly recovery:
    | 'undisturbed'
    | 'same thread'
    | 'same browser'
    | 'same run'
    | 'new browser'
    | 'same owner'
    | 'standby'
    | 'anybody';
  /** `last_error` must match this meanwhile. */
  readonly says?: RegExp;
  /** Longest time from the injection to the first change of the status. */
  readonly noticedMs?: number;
  /** The API must, or may, answer 503 `redis_unavailable` meanwhile. Without this it must not. */
  readonly redisDown?: 'shows' | 'may show';
  /** Redis lost its data. Replicas know no run until it is back. */
  readonly isForgotten?: true;
  /** The fault ends the run on purpose: commands may be refused. */
  readonly isEnded?: true;
  /** WhatsApp's page does not notice that it is cut off, so the status cannot show it. */
  readonly isUnnoticed?: true;
  /** The login is lost at WhatsApp or on disk: a person has to scan. */
  readonly needsScan?: true;
  /** The login that could show the outcome of a send is lost, so `unknown` or `failed` is correct. */
  readonly mayLoseSends?: true;
}

/** A deployment on which the fault matrix runs. */
export interface FaultStage<Held extends SteadySession = SteadySession> {
  readonly replica: Replica;
  readonly redis: Pick<RedisServer, 'url'>;
  /** Longest time for which the status may stay `ready` after owner or page died. */
  readonly honestWithinMs: number;
  /** Brings the session into this state, in which it stays. */
  hold(state: HeldState): Promise<Held>;
  /** Ends a fault that still lasts, and waits until the session has recovered by itself. */
  recovered(state: HeldState): Promise<Held>;
  /** Living browsers. May be called every `countIntervalMs`. */
  browsersAlive(): number;
  readonly countIntervalMs: number;
  /** Pages that are logged in at WhatsApp now, and the most that were at once; null without a stand-in for WhatsApp. */
  acting(): Promise<{ now: number; most: number } | null>;
  /** How many messages with this text WhatsApp received. */
  received(body: string): Promise<number>;
  /** Throws if a zombie stays. */
  assertNoZombies(): Promise<void>;
  /** Log excerpts for the message of a failure. */
  explain(): string;
  close(): Promise<void>;
}

/** Every state of every row, and the long rows. */
export const isEverythingRun = process.env.HOLDLINE_FAULTS === 'all';

/** Waits for as long as a fault lasts. The duration must come from the timing table. */
export function lasting(ms: number): Promise<void> {
  return sleep(ms);
}
