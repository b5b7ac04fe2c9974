import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { QrSeries } from '../../../src/session-worker/qr-series.js';

const issuedAt = Date.parse('2026-01-02T03:04:05.000Z');

function lifeOf(qr: { issued_at: string; expires_at: string | null } | null): number {
  assert.ok(qr?.expires_at);
  return Date.parse(qr.expires_at) - Date.parse(qr.issued_at);
}

/** A monotonic clock that the test moves. */
function stopClock(t: TestContext) {
  const clock = { ms: 1_000 };
  t.mock.method(performance, 'now', () => clock.ms);
  return clock;
}

test('codes are numbered from 1 and have their issue and expiry times', () => {
  const series = new QrSeries();
  assert.deepEqual(series.next('a', issuedAt), {
    number: 1,
    issued_at: '2026-01-02T03:04:05.000Z',
    expires_at: '2026-01-02T03:05:05.000Z',
  });
  assert.equal(series.next('b', issuedAt)?.number, 2);
});

test('a code that the library repeats is not a new one', () => {
  const series = new QrSeries();
  const first = series.next('a');
  assert.ok(first);
  assert.equal(series.next('a'), null);
  assert.equal(series.isCurrent(first), true);
});

test('the first code of each batch lasts a minute, the others 20 s', () => {
  const series = new QrSeries();
  assert.deepEqual(
    [lifeOf(series.next('a')), lifeOf(series.next('b')), lifeOf(series.next('c'))],
    [60_000, 20_000, 20_000],
  );
  series.beginBatch();
  const next = series.next('d');
  assert.equal(lifeOf(next), 60_000);
  assert.equal(next?.number, 4, 'the numbers continue');
});

test('only the newest code is current, and none after it is withdrawn', () => {
  const series = new QrSeries();
  const first = series.next('a');
  const second = series.next('b');
  assert.ok(first && second);
  assert.deepEqual([series.isCurrent(first), series.isCurrent(second)], [false, true]);
  series.withdraw();
  assert.equal(series.isCurrent(second), false);
});

test('the expiry of a code is reported once', (t) => {
  const clock = stopClock(t);
  const series = new QrSeries();
  assert.equal(series.withdrawExpired(), false, 'there is no code yet');
  const qr = series.next('a');
  assert.ok(qr);
  clock.ms += 59_999;
  assert.equal(series.withdrawExpired(), false);
  clock.ms += 1;
  assert.equal(series.withdrawExpired(), true);
  assert.equal(series.isCurrent(qr), false);
  assert.equal(series.withdrawExpired(), false);
});

test('the expiry does not depend on the wall clock', (t) => {
  const clock = stopClock(t);
  const series = new QrSeries();
  series.next('a', issuedAt);
  t.mock.method(Date, 'now', () => issuedAt + 3_600_000);
  assert.equal(series.withdrawExpired(), false);
  clock.ms += 60_000;
  assert.equal(series.withdrawExpired(), true);
});
