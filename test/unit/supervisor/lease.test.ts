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

/** Like a frozen or busy process: no timer and no I/O runs. */
function standStill(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

test('a lease whose renewals get no answer is lost at its deadline, and not before', async () => {
  const openedAt = performance.now();
  const { lost } = open(never, 150);
  await once(lost, 'abort');
  assert.ok(performance.now() - openedAt >= 150);
  assert.match(lost.reason, /^the lock could not be renewed for \d+\.\d s/);
});

test('errors of Redis that end before the deadline do not lose the lease', async () => {
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

test('the lease is lost at once when another run holds the lock, and is not renewed again', async () => {
  let calls = 0;
  const lease = open(async () => ++calls < 3);
  await once(lease.lost, 'abort');
  assert.equal(lease.lost.reason, 'the lock is held by another run');
  assert.equal(await lease.renewNow(), false);
  assert.equal(calls, 3);
});

test('each successful renewal calls the listeners', async () => {
  const lease = open(async () => true);
  let renewed = 0;
  lease.renewed.add(() => renewed++);
  await eventually(() => renewed >= 3);
  assert.ok(lease.ageMs < 60_000);
});

test('a renewal counts from when it was sent: a late answer does not save the lease', async () => {
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

test('after a standstill the lease is lost before any timer has run', async (t) => {
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

test('a forfeited lease is lost with the first reason given', () => {
  const lease = open(never);
  lease.forfeit('another owner was seen');
  lease.forfeit('a second reason');
  assert.equal(lease.lost.reason, 'another owner was seen');
});

test('a stopped lease is not renewed and does not count as lost', async () => {
  let calls = 0;
  const lease = open(async () => {
    calls++;
    return true;
  }, 1_000);
  await eventually(() => calls > 0);
  lease.stop();
  const atStop = calls;
  // The deadline of the stopped lease would come before this one.
  const other = open(never, 1_200);
  await once(other.lost, 'abort');
  assert.equal(calls, atStop);
  assert.equal(lease.lost.aborted, false);
});

test('a lease that is lost by a standstill says so', async () => {
  const { lost } = open(never, 300);
  standStill(800);
  if (!lost.aborted) await once(lost, 'abort');
  assert.match(
    lost.reason,
    /^the lock could not be renewed for 0\.\d s: the event loop was blocked, or the process was frozen, for 0\.\d s$/,
  );
});

test('a listener that throws affects neither the others nor the lease', async () => {
  const lease = open(async () => true);
  let calls = 0;
  lease.renewed.add(() => {
    throw new Error('the first one is broken');
  });
  lease.renewed.add(() => calls++);
  assert.equal(await lease.renewNow(), true);
  assert.ok(calls > 0);
  assert.equal(lease.isHeld, true);
});
