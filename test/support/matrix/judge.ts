import assert from 'node:assert/strict';
import { mayFollow } from '../../../src/contract/states.js';
import { ownerGoneSentence, type SessionState, type Status } from '../../../src/contract/status.js';
import type { Expectation, HeldState, Standing } from './fault-row.js';
import type { Sighting } from './watch.js';

/**
 * What a machine without a moment to spare adds to an answer that takes several turns of several processes; where the fault
 * is not Redis' own, also what Redis itself was late by.
 */
const busyMs = ({ redisDown }: Expectation, { latestMs, redisLatestMs }: FaultRecord) =>
  5 * latestMs + (redisDown === undefined ? redisLatestMs : 0);

/** How long a replica waits for Redis. */
const redisPatienceMs = 600;

/** Everything that was seen around one injection. */
export interface FaultRecord {
  readonly state: HeldState;
  readonly before: Standing;
  readonly after: Standing;
  readonly sightings: readonly Sighting[];
  /** ms, monotonic */
  readonly injectedAt: number;
  readonly honestWithinMs: number;
  readonly mostBrowsers: number;
  readonly mostActing: number;
  /** How much too late the observer woke at worst, ms. */
  readonly latestMs: number;
  /** How long Redis itself took to answer at worst, ms. */
  readonly redisLatestMs: number;
}

/** Throws what is wrong with how the session went through a fault. */
export function judge(expect: Expectation, record: FaultRecord): void {
  assert.ok(record.mostBrowsers <= 1, `${record.mostBrowsers} browsers at the same time`);
  assert.ok(record.mostActing <= 1, `${record.mostActing} pages acted at the same time`);
  assertAnswered(expect, record);
  if (!expect.isUnnoticed) assertHonest(expect, record);
  assertOrder(expect, statuses(record));
  assertSteps(statuses(record));
  assertRecovery(expect, record);
  if (!expect.needsScan && record.state !== 'qr') {
    assert.ok(!statuses(record).some(({ state }) => state === 'qr'), 'a new scan was asked for');
  }
  if (expect.recovery === 'undisturbed') {
    const changed = statuses(record).find((status) => !isSame(status, record.before.status));
    return assert.equal(changed, undefined, 'the status changed though nobody had to notice');
  }
  const { says, noticedMs } = expect;
  if (says !== undefined) {
    const said = new Set(statuses(record).map(({ last_error }) => last_error));
    const message = `last_error never said ${says}; it said ${JSON.stringify([...said])}`;
    assert.ok(saidAfterMs(record, says) !== null, message);
  }
  const noticed = noticedAfterMs(record);
  if (expect.recovery !== 'same thread' && expect.recovery !== 'same run') {
    assert.ok(noticed !== null, 'the fault never showed');
  }
  const slackMs = busyMs(expect, record);
  if (noticedMs !== undefined)
    assert.ok((noticed ?? 0) - slackMs <= noticedMs, `the fault showed after ${noticed} ms`);
}

/** When the status first differed from what it was before the injection; null: never. */
export function noticedAfterMs({ sightings, before, injectedAt }: FaultRecord): number | null {
  const first = sightings.find(
    ({ at, status }) => at >= injectedAt && (status === null || !isSame(status, before.status)),
  );
  return first === undefined ? null : Math.round(first.at - injectedAt);
}

/** When `last_error` first said why; null: never. */
export function saidAfterMs({ sightings, injectedAt }: FaultRecord, says: RegExp): number | null {
  const first = sightings.find(({ status }) => says.test(status?.last_error ?? ''));
  return first === undefined ? null : Math.round(first.at - injectedAt);
}

/** From the injection to the beginning of what the session then stayed in; null: it never left. */
export function recoveredAfterMs({ sightings, after, injectedAt }: FaultRecord): number | null {
  const isBack = ({ status }: Sighting) => status !== null && isSame(status, after.status);
  const since = sightings.slice(sightings.findLastIndex((sighting) => !isBack(sighting)) + 1)[0];
  return since === undefined || since.at < injectedAt ? null : Math.round(since.at - injectedAt);
}

function isSame(a: Status, b: Status): boolean {
  return a.state === b.state && a.last_error === b.last_error && isSameLife(a, b);
}

function isSameLife(a: Status, b: Status): boolean {
  return a.epoch === b.epoch && a.incarnation === b.incarnation;
}

function statuses({ sightings }: FaultRecord): Status[] {
  return sightings.flatMap(({ status }) => status ?? []);
}

/** The API is up all the time, within a second, and what a machine adds that has no moment to spare. */
function assertAnswered(expect: Expectation, record: FaultRecord): void {
  const { sightings } = record;
  const limitMs = 1_000 + busyMs(expect, record);
  assert.ok(sightings.length > 2, 'nobody looked');
  for (const { code, error, tookMs } of sightings) {
    assert.ok(tookMs < limitMs, `the status took ${Math.round(tookMs)} ms`);
    if (code === 200) continue;
    assert.deepEqual([code, error], [503, 'redis_unavailable']);
    // Redis itself may have had no turn in time.
    const isStarved = busyMs(expect, record) > redisPatienceMs;
    assert.ok(expect.redisDown || isStarved, 'the API refused to answer though Redis was up');
  }
  if (expect.redisDown === 'shows')
    assert.ok(
      sightings.some(({ code }) => code === 503),
      'Redis was never down',
    );
}

/** Never `ready` without a browser, and a page that is logged in, for longer than a heartbeat lives. */
function assertHonest(expect: Expectation, record: FaultRecord): void {
  const { sightings, honestWithinMs } = record;
  const limitMs = honestWithinMs + busyMs(expect, record);
  let trueAt = sightings[0]?.at ?? 0;
  for (const { at, tookMs, status, browsers, acting } of sightings) {
    if (!status?.ready || (browsers > 0 && acting !== 0)) trueAt = at;
    // What was told may have been true when it was asked, however long the answer took.
    const liedMs = at - tookMs - trueAt;
    assert.ok(liedMs <= limitMs, `ready for ${Math.round(liedMs)} ms while nothing acted`);
  }
}

/** Epoch and incarnation never go back. */
function assertOrder(expect: Expectation, told: readonly Status[]): void {
  let last = { epoch: 0, incarnation: 0 };
  for (const status of told) {
    const { epoch, incarnation } = status;
    if (epoch === 0 && expect.isForgotten) continue;
    const isBack = epoch < last.epoch || (epoch === last.epoch && incarnation < last.incarnation);
    assert.ok(!isBack, `${epoch}.${incarnation} after ${last.epoch}.${last.incarnation}`);
    last = status;
  }
}

/** Within one life of the thread the states follow each other as the contract's table says. */
function assertSteps(told: readonly Status[]): void {
  told.forEach((status, i) => {
    const before = told[i - 1];
    if (before === undefined || !isSameLife(before, status)) return;
    // What a reader says without a heartbeat can be followed by what was there before.
    if ([before, status].some(({ last_error }) => last_error === ownerGoneSentence)) return;
    const isStep = before.state === status.state || stepsOfThread(before.state).has(status.state);
    assert.ok(isStep, `${status.state} after ${before.state} in the same incarnation`);
  });
}

/** What a thread can come to: between two looks it may have taken several steps. */
function stepsOfThread(from: SessionState): Set<SessionState> {
  const own: readonly SessionState[] = ['starting', 'qr', 'authenticated', 'ready'];
  const reached = new Set<SessionState>();
  const walk = (state: SessionState) => {
    for (const next of own) {
      if (reached.has(next) || !mayFollow(state, next)) continue;
      reached.add(next);
      walk(next);
    }
  };
  walk(from);
  return reached;
}

function assertRecovery({ recovery }: Expectation, { before, after }: FaultRecord): void {
  const isSameBrowser = after.browser === before.browser;
  const isSameRun = after.status.epoch === before.status.epoch;
  const isSameOwner = after.status.supervisor === before.status.supervisor;
  const isNewLife = !isSameLife(before.status, after.status);
  const found = { isSameRun, isSameBrowser, isNewLife };
  switch (recovery) {
    case 'undisturbed':
    case 'same thread':
      return assert.deepEqual(found, { isSameRun: true, isSameBrowser: true, isNewLife: false });
    case 'same browser':
      return assert.deepEqual(found, { isSameRun: true, isSameBrowser: true, isNewLife: true });
    case 'new browser':
      return assert.deepEqual(found, { isSameRun: true, isSameBrowser: false, isNewLife: true });
    case 'same run':
      return assert.ok(isSameRun, 'the same run');
    case 'same owner':
    case 'standby':
    case 'anybody':
      assert.deepEqual(found, { isSameRun: false, isSameBrowser: false, isNewLife: true });
      if (recovery !== 'anybody') assert.equal(isSameOwner, recovery === 'same owner', 'the same owner');
      return;
    default:
      recovery satisfies never;
  }
}
