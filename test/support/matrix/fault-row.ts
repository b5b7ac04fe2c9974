import { setTimeout as sleep } from 'node:timers/promises';
import type { Status } from '../../../src/contract/status.js';
import type { Replica } from '../http-replica.js';
import type { RedisServer } from '../redis-server.js';

/** The states in which a fault can hit; each can be held until it does. */
export type HeldState = 'starting' | 'qr' | 'authenticated' | 'ready';

/** A session about which everything that is said is true. */
export interface Standing {
  readonly status: Status;
  /** Pid of the one browser. */
  readonly browser: number;
}

/** One fault and what must become of the session. */
export interface FaultRow<Stage, Held extends Standing = Standing> {
  /** Completes the title: `ready: <fault>`. */
  readonly fault: string;
  /** Where it makes sense, the most dangerous first: `npm test` takes that one, `npm run test:faults` all. */
  readonly states: readonly [HeldState, ...HeldState[]];
  /** Resolves when the fault is over, or when nothing more of it is to come; to a sentence for the report, if to one. */
  readonly inject: (stage: Stage, before: Held) => Promise<unknown>;
  readonly expect: Expectation;
  /** What becomes of the session otherwise where the fault meets it in one of these states. */
  readonly expectIn?: Partial<Record<HeldState, Partial<Expectation>>>;
  /** Takes minutes: not in `npm test`. */
  readonly isLong?: true;
}

export interface Expectation {
  /**
   * Who carries the session afterwards. `undisturbed`: the same thread, and nobody could notice; `same thread`: it may
   * have shown meanwhile; `same browser`: a new thread on it; `new browser`, `same run`: within the same run, whatever
   * became of the rest; `same owner`, `standby`, `anybody`: in a new run, there.
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
  /** What `last_error` must have said meanwhile. */
  readonly says?: RegExp;
  /** From the injection until the status no longer says what it said before. */
  readonly noticedMs?: number;
  /** The API must, or may, have answered 503 `redis_unavailable` meanwhile; anywhere else it must not. */
  readonly redisDown?: 'shows' | 'may show';
  /** Redis lost its data: until the run is back, replicas know of none. */
  readonly isForgotten?: true;
  /** Somebody ends the run on purpose: commands may be refused. */
  readonly isEnded?: true;
  /** WhatsApp's page does not know itself that it is cut off: the status cannot. */
  readonly isUnnoticed?: true;
  /** WhatsApp or the disk has no login any more: a person has to scan. */
  readonly needsScan?: true;
  /** The login that could tell what became of a send is gone: `unknown` or `failed` is the truth then. */
  readonly mayLoseSends?: true;
}

/** What a matrix of faults runs on. */
export interface FaultStage<Held extends Standing = Standing> {
  readonly replica: Replica;
  readonly redis: Pick<RedisServer, 'url'>;
  /** Longest time for which a reader may believe a dead owner or a dead page. */
  readonly honestWithinMs: number;
  /** Brings the session into this state, for as long as nothing happens. */
  hold(state: HeldState): Promise<Held>;
  /** Ends whatever still breaks the session, and waits until it is back by itself. */
  recovered(state: HeldState): Promise<Held>;
  /** How many browsers live now; `countIntervalMs` says how often it may be asked. */
  browsersAlive(): number;
  readonly countIntervalMs: number;
  /** How many pages WhatsApp has logged in now, and ever had at once; null without a stand-in for it. */
  acting(): Promise<{ now: number; most: number } | null>;
  /** How many messages WhatsApp got with this text. */
  received(body: string): Promise<number>;
  /** No process is dead but unburied. */
  assertNoZombies(): Promise<void>;
  /** What a failure is explained with. */
  explain(): string;
  close(): Promise<void>;
}

/** `all`: every state and the long outages too. */
export const isEverythingRun = process.env.HOLDLINE_FAULTS === 'all';

/** For how long a fault lasts: only the timing table may say. */
export function lasting(ms: number): Promise<void> {
  return sleep(ms);
}
