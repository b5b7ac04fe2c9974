import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, test } from 'node:test';
import { pino } from 'pino';
import { Lease } from '../../../src/supervisor/lease.js';
import { eventually } from '../../support/eventually.js';

const leases: Lease[] = [];

afterEach(() => {
  for (const lease of leases.splice(0)) lease.stop();
});

function open(renew: () => Promise<boolean>, giveUpMs = 60_000): Lease {
  const lease = new Lease({
    timing: { renewIntervalMs: 5, giveUpMs },
    renew,
    log: pino({ level: 'silent' }),
  });
  leases.push(lease);
  return lease;
}

const never = () => new Promise<boolean>(() => {});

/** As a process that is frozen or busy: no timer runs, no I/O. */
function standStill(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

test('a lease whose renewals are never answered is lost at its deadline, and not before', async () => {
  const openedAt = performance.now();
  const { lost } = open(never, 150);
  await once(lost, 'abort');
  assert.ok(performance.now() - openedAt >= 150);
  assert.match(lost.reason, /^the lock could not be renewed for \d+\.\d s/);
});

test('errors of Redis alone do not lose it: they may pass before the deadline', async () => {
  let calls = 0;
  const lease = open(async () => {
    if (++calls < 5) throw new Error('LOADING Redis is loading the dataset in memory');
    return true;
  });
  let renewed = 0;
  lease.renewed.add(() => renewed++);
  await eventually(() => renewed > 0);
  assert.ok(calls >= 5);
  assert.equal(lease.isHeld, true);
});

test('it is lost at once when the lock is another’s, and asks no more', async () => {
  let calls = 0;
  const lease = open(async () => ++calls < 3);
  await once(lease.lost, 'abort');
  assert.equal(lease.lost.reason, 'the lock is held by another run');
  assert.equal(await lease.renewNow(), false);
  assert.equal(calls, 3);
});

test('each granted renewal is told to those who live by it', async () => {
  const lease = open(async () => true);
  let renewed = 0;
  lease.renewed.add(() => renewed++);
  await eventually(() => renewed >= 3);
  assert.ok(lease.ageMs < 60_000);
});

test('a renewal counts from when it was sent: an answer that comes too late does not save it', async () => {
  let answer: (isOurs: boolean) => void = () => {};
  const lease = open(
    () =>
      new Promise((resolve) => {
        answer = resolve;
      }),
    100,
  );
  let renewed = 0;
  lease.renewed.add(() => renewed++);
  const asked = lease.renewNow();
  standStill(120);
  answer(true);
  assert.equal(await asked, false);
  assert.equal(lease.lost.aborted, true);
  assert.equal(renewed, 0);
});

test('a process that stood still knows that it is late before any of its timers has run', async (t) => {
  const lease = open(async () => true, 60_000);
  assert.equal(await lease.renewNow(), true);
  assert.equal(lease.isHeld, true);
  const now = performance.now.bind(performance);
  t.mock.method(performance, 'now', () => now() + 60_001);
  assert.equal(lease.isHeld, false);
  assert.equal(lease.lost.aborted, true);
});

for (const jumpMs of [-3_600_000, 3_600_000]) {
  test(`a wall clock that jumps by ${jumpMs / 3_600_000} h changes nothing`, async (t) => {
    let renewed = 0;
    const lease = open(async () => true, 5_000);
    lease.renewed.add(() => renewed++);
    const now = Date.now;
    t.mock.method(Date, 'now', () => now() + jumpMs);
    await eventually(() => renewed >= 10);
    assert.equal(lease.isHeld, true);
  });
}

test('a forfeited lease is lost with the reason given; the first reason stands', () => {
  const lease = open(never);
  lease.forfeit('somebody else was seen');
  lease.forfeit('a second reason');
  assert.equal(lease.lost.reason, 'somebody else was seen');
});

test('a lease that is stopped renews no more and does not count as lost', async () => {
  let calls = 0;
  const lease = open(async () => {
    calls++;
    return true;
  }, 1_000);
  await eventually(() => calls > 0);
  lease.stop();
  const atStop = calls;
  // Its own deadline would come before that of the other.
  const other = open(never, 1_200);
  await once(other.lost, 'abort');
  assert.equal(calls, atStop);
  assert.equal(lease.lost.aborted, false);
});

test('one that is lost because the process stood still says so, and does not leave it to Redis', async () => {
  const { lost } = open(never, 300);
  standStill(800);
  if (!lost.aborted) await once(lost, 'abort');
  assert.match(
    lost.reason,
    /^the lock could not be renewed for 0\.\d s: this process stood still for 0\.\d s$/,
  );
});

test('a listener to the renewals that throws costs neither the others nor the lease', async () => {
  const lease = open(async () => true);
  let told = 0;
  lease.renewed.add(() => {
    throw new Error('the first one is broken');
  });
  lease.renewed.add(() => told++);
  assert.equal(await lease.renewNow(), true);
  assert.ok(told > 0);
  assert.equal(lease.isHeld, true);
});
