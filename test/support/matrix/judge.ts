import assert from 'node:assert/strict';
import { mayFollow } from '../../../src/contract/state-transitions.js';
import { ownerGoneSentence, type SessionState, type Status } from '../../../src/contract/status.js';
import type { Expectation, HeldState, SteadySession } from './fault-row.js';
import type { Sample } from './status-sampler.js';

/**
 * Extra time on a busy machine, where an answer needs several turns of several processes. If the fault is not in Redis, the
 * slowest answer of Redis is added.
 */
const busyMs = ({ redisDown }: Expectation, { latestMs, redisLatestMs }: FaultRecord) =>
  5 * latestMs + (redisDown === undefined ? redisLatestMs : 0);

/** How long a replica waits for Redis by default. */
const redisPatienceMs = 600;

/** Everything observed around one injection. */
export interface FaultRecord {
  readonly state: HeldState;
  readonly before: SteadySession;
  readonly after: SteadySession;
  readonly samples: readonly Sample[];
  /** ms, monotonic */
  readonly injectedAt: number;
  readonly honestWithinMs: number;
  readonly mostBrowsers: number;
  readonly mostActing: number;
  /** How late the sampler's timer fired at worst, ms. */
  readonly latestMs: number;
  /** The slowest answer of Redis itself, ms. */
  readonly redisLatestMs: number;
}

/** Throws if the record contradicts the expectation, or an invariant that holds for every fault. */
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
    return assert.equal(changed, undefined, 'the status changed, though the fault must not show');
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

/** From the injection to the first status that differs from the one before; null: none did. */
export function noticedAfterMs({ samples, before, injectedAt }: FaultRecord): number | null {
  const first = samples.find(
    ({ at, status }) => at >= injectedAt && (status === null || !isSame(status, before.status)),
  );
  return first === undefined ? null : Math.round(first.at - injectedAt);
}

/** From the injection to the first `last_error` that matches; null: none did. */
export function saidAfterMs({ samples, injectedAt }: FaultRecord, says: RegExp): number | null {
  const first = samples.find(({ status }) => says.test(status?.last_error ?? ''));
  return first === undefined ? null : Math.round(first.at - injectedAt);
}

/** From the injection to the beginning of the final state; null: the session never left it. */
export function recoveredAfterMs({ samples, after, injectedAt }: FaultRecord): number | null {
  const isBack = ({ status }: Sample) => status !== null && isSame(status, after.status);
  const since = samples.slice(samples.findLastIndex((sample) => !isBack(sample)) + 1)[0];
  return since === undefined || since.at < injectedAt ? null : Math.round(since.at - injectedAt);
}

function isSame(a: Status, b: Status): boolean {
  return a.state === b.state && a.last_error === b.last_error && isSameLife(a, b);
}

function isSameLife(a: Status, b: Status): boolean {
  return a.epoch === b.epoch && a.incarnation === b.incarnation;
}

function statuses({ samples }: FaultRecord): Status[] {
  return samples.flatMap(({ status }) => status ?? []);
}

/** The API answers all the time, each time within a second plus the extra time of a busy machine. */
function assertAnswered(expect: Expectation, record: FaultRecord): void {
  const { samples } = record;
  const limitMs = 1_000 + busyMs(expect, record);
  assert.ok(samples.length > 2, 'there are too few samples');
  for (const { code, error, tookMs } of samples) {
    assert.ok(tookMs < limitMs, `the status took ${Math.round(tookMs)} ms`);
    if (code === 200) continue;
    assert.deepEqual([code, error], [503, 'redis_unavailable']);
    // Redis itself may not have run in time.
    const isStarved = busyMs(expect, record) > redisPatienceMs;
    assert.ok(expect.redisDown || isStarved, 'the API refused to answer though Redis was up');
  }
  if (expect.redisDown === 'shows')
    assert.ok(
      samples.some(({ code }) => code === 503),
      'Redis was never down',
    );
}

/** The status is never `ready` without a browser and a logged-in page for longer than `honestWithinMs`. */
function assertHonest(expect: Expectation, record: FaultRecord): void {
  const { samples, honestWithinMs } = record;
  const limitMs = honestWithinMs + busyMs(expect, record);
  let trueAt = samples[0]?.at ?? 0;
  for (const { at, tookMs, status, browsers, acting } of samples) {
    if (!status?.ready || (browsers > 0 && acting !== 0)) trueAt = at;
    // The status may have been true when it was requested, however long the answer took.
    const liedMs = at - tookMs - trueAt;
    assert.ok(liedMs <= limitMs, `ready for ${Math.round(liedMs)} ms while nothing acted`);
  }
}

/** Epoch and incarnation never go back. */
function assertOrder(expect: Expectation, shown: readonly Status[]): void {
  let last = { epoch: 0, incarnation: 0 };
  for (const status of shown) {
    const { epoch, incarnation } = status;
    if (epoch === 0 && expect.isForgotten) continue;
    const isBack = epoch < last.epoch || (epoch === last.epoch && incarnation < last.incarnation);
    assert.ok(!isBack, `${epoch}.${incarnation} after ${last.epoch}.${last.incarnation}`);
    last = status;
  }
}

/** Within one incarnation, states follow each other as the contract's table allows. */
function assertSteps(shown: readonly Status[]): void {
  shown.forEach((status, i) => {
    const before = shown[i - 1];
    if (before === undefined || !isSameLife(before, status)) return;
    // Without a heartbeat the reader derives the state; the stored one may follow again.
    if ([before, status].some(({ last_error }) => last_error === ownerGoneSentence)) return;
    const isStep = before.state === status.state || stepsOfThread(before.state).has(status.state);
    assert.ok(isStep, `${status.state} after ${before.state} in the same incarnation`);
  });
}

/** All states that a thread can reach: between two samples it may have taken several steps. */
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
