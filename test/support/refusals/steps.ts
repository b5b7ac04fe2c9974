import type { OwnedSession } from '../deployment.js';
import type { Expectation } from '../matrix/fault-row.js';
import type { RefusedDeployment } from '../refused-deployment.js';
import { allRedisErrors, type RedisError } from './errors.js';
import { any, named, onKey, onQueue, type Requests, threadWrite } from './requests.js';
import * as triggers from './triggers.js';

/** One step of a run or a send, and what must happen to the session while Redis refuses it. */
export interface RefusedStep {
  /** Completes the title: `Redis says READONLY to …`. */
  readonly name: string;
  readonly requests: Requests;
  /** Whose requests: by default those of the supervisors and their threads. */
  readonly of?: 'replica';
  readonly trigger?: triggers.Trigger;
  readonly expect: Expectation;
  /** The most dangerous first. `npm test` runs that one. */
  readonly errors: readonly [RedisError, ...RedisError[]];
  /** The least number of refusals; 2 by default. */
  readonly least?: number;
  /** Only with `HOLDLINE_FAULTS=all`: another row of `npm test` includes it. */
  readonly isLong?: true;
}

export type Stage = RefusedDeployment;
export type Held = OwnedSession;

const ownerGone = /supervisor is gone/;
const undisturbed: Expectation = { recovery: 'undisturbed' };
const anotherRun: Expectation = { recovery: 'anybody', says: ownerGone };
/** A replica that gets READONLY reconnects, and has no connection for a moment. */
const reconnects = { redisDown: 'may show' } as const;
/** The trigger ends the run on purpose. */
const ended: Expectation = { recovery: 'anybody', isEnded: true, mayLoseSends: true };

const first = (...errors: readonly [RedisError, ...RedisError[]]): RefusedStep['errors'] => [
  ...errors,
  ...allRedisErrors.filter((error) => !errors.includes(error)),
];

export const steps: readonly RefusedStep[] = [
  // Start of a run.
  {
    name: 'every step of a start',
    requests: any(
      onQueue('moveToActive', 'sessions'),
      named('holdline_trimEvents'),
      named('holdline_claimRun'),
      named('holdline_publishStatus'),
    ),
    trigger: triggers.ownerDies,
    expect: anotherRun,
    errors: first('MASTERDOWN'),
  },
  {
    name: 'the search for runs whose lock has lapsed',
    requests: named('moveStalledJobsToWait'),
    trigger: triggers.ownerDies,
    expect: anotherRun,
    errors: first('LOADING'),
    isLong: true,
  },
  {
    name: 'taking a run from the queue',
    requests: onQueue('moveToActive', 'sessions'),
    trigger: triggers.ownerDies,
    expect: anotherRun,
    errors: first('READONLY'),
    isLong: true,
  },
  {
    name: "a new supervisor's request for a run",
    requests: onQueue('moveToActive', 'sessions'),
    trigger: triggers.standbyIsReplaced,
    expect: undisturbed,
    errors: first('READONLY'),
  },
  {
    name: 'the claim of a run',
    requests: named('holdline_claimRun'),
    trigger: triggers.ownerDies,
    expect: anotherRun,
    errors: first('OOM'),
    isLong: true,
  },
  {
    name: 'the first state of a run',
    requests: named('holdline_publishStatus'),
    trigger: triggers.ownerDies,
    expect: anotherRun,
    errors: first('OOM'),
    isLong: true,
  },
  {
    name: "a new run's first check of its commands",
    requests: named('holdline_requeueActive'),
    trigger: triggers.ownerDies,
    expect: anotherRun,
    errors: first('READONLY'),
  },
  {
    name: 'the return of commands that the previous owner left unfinished',
    requests: named('holdline_requeueActive'),
    trigger: triggers.ownerDiesSending,
    expect: anotherRun,
    errors: first('READONLY'),
    isLong: true,
  },
  // A run in progress.
  {
    name: 'each renewal of the lock',
    requests: named('holdline_renewLock'),
    // Each owner gives the run up, and the next one takes it before the status must show that it has no owner.
    expect: { recovery: 'anybody' },
    errors: first('NOPERM'),
  },
  {
    name: 'each heartbeat',
    requests: named('holdline_renewHeartbeat'),
    expect: { recovery: 'same thread', says: ownerGone },
    errors: first('READONLY'),
  },
  {
    name: 'each state that a session worker writes',
    requests: threadWrite,
    trigger: triggers.browserDies,
    expect: { recovery: 'new browser' },
    errors: first('OOM'),
  },
  {
    name: 'each event that a session worker publishes',
    requests: named('holdline_appendEvents'),
    trigger: triggers.eventIsPublished,
    expect: undisturbed,
    errors: first('OOM'),
  },
  {
    name: 'each registration of a supervisor',
    requests: named('holdline_registerSupervisor'),
    expect: undisturbed,
    errors: first('OOM'),
    isLong: true,
  },
  {
    name: 'each blocking wait for a job',
    requests: named('bzpopmin'),
    trigger: triggers.sendIsAccepted,
    expect: undisturbed,
    errors: first('NOPERM'),
  },
  {
    name: 'every command of new connections',
    requests: () => true,
    trigger: triggers.connectionsAreCut,
    expect: anotherRun,
    errors: ['NOAUTH', 'MASTERDOWN'],
  },
  {
    name: 'the check of new connections whether Redis is loading',
    requests: named('info'),
    trigger: triggers.connectionsAreCut,
    expect: undisturbed,
    errors: ['NOPERM'],
    isLong: true,
  },
  {
    name: 'each piece of a backup',
    requests: any(named('holdline_stagePiece'), named('holdline_commitSnapshot')),
    trigger: triggers.loginChanges,
    expect: undisturbed,
    errors: first('OOM'),
  },
  // Commands.
  {
    name: 'every step of a send',
    requests: any(
      onQueue('moveToActive', 'sends'),
      named('holdline_readSendRecord'),
      named('holdline_recordAttempt'),
      onKey('set', ':attempt:'),
      onQueue('moveToFinished', 'sends'),
    ),
    trigger: triggers.sendIsAccepted,
    expect: undisturbed,
    errors: first('OOM'),
  },
  {
    name: 'taking a send from the queue',
    requests: onQueue('moveToActive', 'sends'),
    trigger: triggers.sendIsAccepted,
    expect: undisturbed,
    errors: first('CROSSSLOT'),
    isLong: true,
  },
  {
    name: 'the read of the record of a send',
    requests: named('holdline_readSendRecord'),
    trigger: triggers.sendIsAccepted,
    expect: undisturbed,
    errors: first('MASTERDOWN'),
    isLong: true,
  },
  {
    name: 'the record of an attempt',
    requests: named('holdline_recordAttempt'),
    trigger: triggers.sendIsAccepted,
    expect: undisturbed,
    errors: first('READONLY'),
    isLong: true,
  },
  {
    name: 'the record of an outcome',
    requests: onKey('set', ':attempt:'),
    trigger: triggers.sendIsAccepted,
    expect: undisturbed,
    errors: first('READONLY'),
  },
  {
    name: "the end of a send's job",
    requests: onQueue('moveToFinished', 'sends'),
    trigger: triggers.sendIsAccepted,
    expect: undisturbed,
    errors: first('READONLY'),
    isLong: true,
  },
  {
    name: "a read's answer and the end of its job",
    requests: any(named('holdline_storeAnswer'), onQueue('moveToFinished', 'reads')),
    trigger: triggers.readIsAsked,
    expect: undisturbed,
    errors: first('CROSSSLOT'),
    least: 1,
  },
  // End of a run.
  {
    name: 'the step-down of an owner that is asked to stop, and the return of its job',
    requests: any(named('holdline_stepDown'), onQueue('moveJobFromActiveToWait', 'sessions')),
    trigger: triggers.ownerIsAskedToStop,
    expect: { recovery: 'standby' },
    errors: first('READONLY'),
  },
  {
    name: 'the last state of a run that is stopped',
    requests: named('holdline_endRun'),
    trigger: triggers.ends('stop'),
    expect: ended,
    errors: first('READONLY'),
  },
  {
    name: 'the wipe of a logout',
    requests: named('holdline_markWiped'),
    trigger: triggers.ends('logout'),
    expect: ended,
    errors: first('OOM'),
    isLong: true,
  },
  {
    name: "the end of a stopped run's job",
    requests: onQueue('moveToFinished', 'sessions'),
    trigger: triggers.ends('stop'),
    expect: ended,
    errors: first('READONLY'),
    least: 1,
  },
  // HTTP.
  {
    name: 'a start over HTTP',
    requests: onQueue('addStandardJob', 'sessions'),
    of: 'replica',
    trigger: triggers.startIsRefused,
    expect: { ...ended, ...reconnects },
    errors: first('OOM'),
    least: 1,
  },
  {
    name: 'a stop over HTTP',
    requests: named('holdline_requestEnd'),
    of: 'replica',
    trigger: triggers.endIsRefused,
    expect: { ...undisturbed, ...reconnects },
    errors: first('OOM'),
    isLong: true,
    least: 1,
  },
  {
    name: 'a send over HTTP',
    requests: any(named('holdline_reserveCapacity'), onQueue('addStandardJob', 'sends')),
    of: 'replica',
    trigger: triggers.sendIsRefused,
    expect: { ...undisturbed, ...reconnects },
    errors: first('OOM'),
    isLong: true,
    least: 1,
  },
  {
    name: 'each read of the state',
    requests: any(named('mget'), named('get'), named('getbuffer')),
    of: 'replica',
    expect: { recovery: 'same thread', redisDown: 'shows' },
    errors: first('LOADING'),
  },
];
