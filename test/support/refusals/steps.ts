import type { Settled } from '../deployment.js';
import type { Expectation } from '../matrix/fault-row.js';
import type { RefusedDeployment } from '../refused-deployment.js';
import * as acts from './acts.js';
import { allRedisErrors, type RedisError } from './errors.js';
import { any, named, onKey, onQueue, type Requests, threadWrite } from './requests.js';

/** One step of a run's or a send's life, and what must become of the session while Redis refuses it. */
export interface RefusedStep {
  /** Completes the title: `Redis says READONLY to …`. */
  readonly name: string;
  readonly requests: Requests;
  /** Of whom: the supervisors and their threads where nothing else is said. */
  readonly of?: 'replica';
  readonly act?: acts.Act;
  readonly expect: Expectation;
  /** The most dangerous first: `npm test` takes that one. */
  readonly errors: readonly [RedisError, ...RedisError[]];
  /** How often it is refused at least; twice where nothing else is said. */
  readonly least?: number;
  /** Only with `HOLDLINE_FAULTS=all`: another row of `npm test` has it among others. */
  readonly isLong?: true;
}

export type Stage = RefusedDeployment;
export type Held = Settled;

const ownerGone = /supervisor is gone/;
const undisturbed: Expectation = { recovery: 'undisturbed' };
const anotherRun: Expectation = { recovery: 'anybody', says: ownerGone };
/** A replica that is told that its master is elsewhere has no connection for a moment. */
const connectsAnew = { redisDown: 'may show' } as const;
/** Somebody ends the run on purpose. */
const ended: Expectation = { recovery: 'anybody', isEnded: true, mayLoseSends: true };

const first = (...errors: readonly [RedisError, ...RedisError[]]): RefusedStep['errors'] => [
  ...errors,
  ...allRedisErrors.filter((error) => !errors.includes(error)),
];

export const steps: readonly RefusedStep[] = [
  // A run begins.
  {
    name: 'every step of a start',
    requests: any(
      onQueue('moveToActive', 'sessions'),
      named('holdline_trimEvents'),
      named('holdline_claim'),
      named('holdline_publish'),
    ),
    act: acts.ownerDies,
    expect: anotherRun,
    errors: first('MASTERDOWN'),
  },
  {
    name: 'the look for runs whose lock has lapsed',
    requests: named('moveStalledJobsToWait'),
    act: acts.ownerDies,
    expect: anotherRun,
    errors: first('LOADING'),
    isLong: true,
  },
  {
    name: 'the hand-out of a run',
    requests: onQueue('moveToActive', 'sessions'),
    act: acts.ownerDies,
    expect: anotherRun,
    errors: first('READONLY'),
    isLong: true,
  },
  {
    name: "a new supervisor's question for a run to take",
    requests: onQueue('moveToActive', 'sessions'),
    act: acts.standbyIsReplaced,
    expect: undisturbed,
    errors: first('READONLY'),
  },
  {
    name: 'the claim of a run',
    requests: named('holdline_claim'),
    act: acts.ownerDies,
    expect: anotherRun,
    errors: first('OOM'),
    isLong: true,
  },
  {
    name: 'the first state of a run',
    requests: named('holdline_publish'),
    act: acts.ownerDies,
    expect: anotherRun,
    errors: first('OOM'),
    isLong: true,
  },
  {
    name: "a new run's first look at its commands",
    requests: named('holdline_lookAtCommands'),
    act: acts.ownerDies,
    expect: anotherRun,
    errors: first('READONLY'),
  },
  {
    name: 'the return of commands that the owner before left unfinished',
    requests: onQueue('moveJobFromActiveToWait', 'sends'),
    act: acts.ownerDies,
    expect: anotherRun,
    errors: first('READONLY'),
    isLong: true,
  },
  // It goes on.
  {
    name: 'each renewal of the lock',
    requests: named('holdline_renew'),
    // Each owner gives up, and the next one takes it before the status has to say that nobody has it.
    expect: { recovery: 'anybody' },
    errors: first('NOPERM'),
  },
  {
    name: 'each heartbeat',
    requests: named('holdline_beat'),
    expect: { recovery: 'same thread', says: ownerGone },
    errors: first('READONLY'),
  },
  {
    name: 'each state that a session worker writes',
    requests: threadWrite,
    act: acts.browserDies,
    expect: { recovery: 'new browser' },
    errors: first('OOM'),
  },
  {
    name: 'each event that a session worker tells',
    requests: named('holdline_appendEvents'),
    act: acts.eventIsTold,
    expect: undisturbed,
    errors: first('OOM'),
  },
  {
    name: 'each signature on the roll of supervisors',
    requests: named('holdline_registerSupervisor'),
    expect: undisturbed,
    errors: first('OOM'),
    isLong: true,
  },
  {
    name: 'each blocking wait for something to do',
    requests: named('bzpopmin'),
    act: acts.sendIsAccepted,
    expect: undisturbed,
    errors: first('NOPERM'),
  },
  {
    name: 'whatever new connections ask',
    requests: () => true,
    act: acts.connectionsAreCut,
    expect: anotherRun,
    errors: ['NOAUTH', 'MASTERDOWN'],
  },
  {
    name: 'the question of new connections whether Redis is loading',
    requests: named('info'),
    act: acts.connectionsAreCut,
    expect: undisturbed,
    errors: ['NOPERM'],
    isLong: true,
  },
  {
    name: 'each piece of a backup',
    requests: any(named('holdline_stagePiece'), named('holdline_commitSnapshot')),
    act: acts.loginChanges,
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
    act: acts.sendIsAccepted,
    expect: undisturbed,
    errors: first('OOM'),
  },
  {
    name: 'the hand-out of a send',
    requests: onQueue('moveToActive', 'sends'),
    act: acts.sendIsAccepted,
    expect: undisturbed,
    errors: first('CROSSSLOT'),
    isLong: true,
  },
  {
    name: 'the look at what is known of a send',
    requests: named('holdline_readSendRecord'),
    act: acts.sendIsAccepted,
    expect: undisturbed,
    errors: first('MASTERDOWN'),
    isLong: true,
  },
  {
    name: 'the record of an attempt',
    requests: named('holdline_recordAttempt'),
    act: acts.sendIsAccepted,
    expect: undisturbed,
    errors: first('READONLY'),
    isLong: true,
  },
  {
    name: 'the record of an outcome',
    requests: onKey('set', ':attempt:'),
    act: acts.sendIsAccepted,
    expect: undisturbed,
    errors: first('READONLY'),
  },
  {
    name: "the end of a send's job",
    requests: onQueue('moveToFinished', 'sends'),
    act: acts.sendIsAccepted,
    expect: undisturbed,
    errors: first('READONLY'),
    isLong: true,
  },
  {
    name: "a read's answer and the end of its job",
    requests: any(named('holdline_storeAnswer'), onQueue('moveToFinished', 'reads')),
    act: acts.readIsAsked,
    expect: undisturbed,
    errors: first('CROSSSLOT'),
    least: 1,
  },
  // It ends.
  {
    name: 'the step-down of an owner that is asked to stop, and the return of its job',
    requests: any(named('holdline_stepDown'), onQueue('moveJobFromActiveToWait', 'sessions')),
    act: acts.ownerIsAskedToStop,
    expect: { recovery: 'standby' },
    errors: first('READONLY'),
  },
  {
    name: 'the last state of a run that is stopped',
    requests: named('holdline_end'),
    act: acts.ends('stop'),
    expect: ended,
    errors: first('READONLY'),
  },
  {
    name: 'the wipe of a logout',
    requests: named('holdline_markWiped'),
    act: acts.ends('logout'),
    expect: ended,
    errors: first('OOM'),
    isLong: true,
  },
  {
    name: "the end of a stopped run's job",
    requests: onQueue('moveToFinished', 'sessions'),
    act: acts.ends('stop'),
    expect: ended,
    errors: first('READONLY'),
    least: 1,
  },
  // HTTP.
  {
    name: 'a start over HTTP',
    requests: onQueue('addStandardJob', 'sessions'),
    of: 'replica',
    act: acts.startIsRefused,
    expect: { ...ended, ...connectsAnew },
    errors: first('OOM'),
    least: 1,
  },
  {
    name: 'a stop over HTTP',
    requests: named('holdline_requestEnd'),
    of: 'replica',
    act: acts.endIsRefused,
    expect: { ...undisturbed, ...connectsAnew },
    errors: first('OOM'),
    isLong: true,
    least: 1,
  },
  {
    name: 'a send over HTTP',
    requests: any(named('holdline_takeCommandRoom'), onQueue('addStandardJob', 'sends')),
    of: 'replica',
    act: acts.sendIsRefused,
    expect: { ...undisturbed, ...connectsAnew },
    errors: first('OOM'),
    isLong: true,
    least: 1,
  },
  {
    name: 'each look at the state',
    requests: any(named('mget'), named('get'), named('getbuffer')),
    of: 'replica',
    expect: { recovery: 'same thread', redisDown: 'shows' },
    errors: first('LOADING'),
  },
];
