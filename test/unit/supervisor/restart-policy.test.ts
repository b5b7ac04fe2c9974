import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ExitReason, exitPolicy, exitReasons } from '../../../src/contract/exit-reasons.js';
import { RestartPolicy } from '../../../src/supervisor/restart-policy.js';

const limits = {
  restartsMax: 3,
  backoffBaseMs: 500,
  backoffMaxMs: 4_000,
  healthyAfterMs: 30_000,
  restartWindowMs: 600_000,
  incompatibleRetryMs: 900_000,
};

/** A policy whose time and chance the test has in hand; chance begins at its most. */
function scripted(changed: Partial<typeof limits> = {}) {
  const clock = { ms: 0, chance: 1 };
  const policy = new RestartPolicy(
    { ...limits, ...changed },
    { now: () => clock.ms, random: () => clock.chance },
  );
  const decide = (reason: ExitReason, healthyMs = 0) =>
    policy.decide({ reason, message: `because of ${reason}` }, healthyMs);
  function delayOf(reason: ExitReason, healthyMs = 0): number {
    const decision = decide(reason, healthyMs);
    assert.ok(decision.type === 'restart', 'it restarts');
    return decision.delayMs;
  }
  return { clock, decide, delayOf };
}

test('the delay doubles from failure to failure up to its cap', () => {
  const { delayOf } = scripted({ restartsMax: 100 });
  const delays = Array.from({ length: 6 }, () => delayOf('thread_threw'));
  assert.deepEqual(delays, [500, 1_000, 2_000, 4_000, 4_000, 4_000]);
});

test('chance takes up to half of a delay away, never more', () => {
  const { clock, delayOf } = scripted({ restartsMax: 100 });
  clock.chance = 0;
  assert.equal(delayOf('thread_threw'), 250);
  clock.chance = 0.5;
  assert.equal(delayOf('thread_threw'), 750);
});

test('delays start anew after an incarnation that was healthy for long enough', () => {
  const { delayOf } = scripted({ restartsMax: 100 });
  delayOf('thread_threw');
  delayOf('thread_threw');
  assert.equal(delayOf('thread_threw', limits.healthyAfterMs - 1), 2_000);
  assert.equal(delayOf('thread_threw', limits.healthyAfterMs), 0);
  assert.deepEqual([delayOf('thread_threw'), delayOf('thread_threw')], [1_000, 2_000]);
});

test('what breaks first after health of any length is mended at once, what was never healthy is not', () => {
  for (const reason of ['thread_threw', 'browser_died', 'page_hung'] as const) {
    assert.equal(scripted().delayOf(reason, 1), 0, reason);
    assert.equal(scripted().delayOf(reason), 500, reason);
  }
  const { delayOf } = scripted();
  assert.deepEqual([delayOf('thread_threw', 1), delayOf('thread_threw', 1)], [0, 1_000]);
});

test('an outage, which many sessions meet at once, has its delay and its jitter from the first time on', () => {
  const { clock, delayOf } = scripted();
  clock.chance = 0.5;
  assert.equal(delayOf('whatsapp_disconnected', limits.healthyAfterMs), 375);
});

test('more counted failures within the window than allowed end the run, with the last reason', () => {
  const { clock, decide } = scripted();
  for (const reason of ['thread_threw', 'browser_died', 'page_hung'] as const) {
    assert.equal(decide(reason).type, 'restart');
    clock.ms += 1_000;
  }
  assert.deepEqual(decide('start_failed'), {
    type: 'end',
    state: 'disconnected',
    message: 'gave up after 3 restarts within 10 min; the last reason: because of start_failed',
  });
});

test('failures that the window has left behind do not count, nor does health forgive those within', () => {
  const { clock, decide } = scripted();
  for (let i = 0; i < 10; i++) {
    assert.equal(decide('thread_threw').type, 'restart');
    clock.ms += limits.restartWindowMs / 3;
  }
  clock.ms += limits.restartWindowMs;
  for (let i = 0; i < 3; i++) assert.equal(decide('thread_threw', limits.healthyAfterMs).type, 'restart');
  assert.equal(decide('thread_threw', limits.healthyAfterMs).type, 'end');
});

test('an outage of the network or of WhatsApp never ends the run, however long', () => {
  const { decide, delayOf } = scripted();
  for (let i = 0; i < 1_000; i++) assert.equal(decide('whatsapp_unreachable').type, 'restart');
  assert.equal(delayOf('whatsapp_disconnected'), limits.backoffMaxMs);
  assert.equal(decide('thread_threw').type, 'restart', 'nor does it use up what others may');
});

test('an incompatible page gets a second look soon, and is then tried again at its own, long interval', () => {
  const { decide, delayOf } = scripted();
  assert.deepEqual(decide('incompatible_page'), { type: 'restart', delayMs: 500, restartLevel: 'browser' });
  for (let i = 0; i < 20; i++) assert.equal(delayOf('incompatible_page'), limits.incompatibleRetryMs);
});

test('a page that was found compatible in between gets its second look again', () => {
  const { delayOf } = scripted();
  delayOf('incompatible_page');
  delayOf('whatsapp_unreachable');
  assert.ok(delayOf('incompatible_page') < limits.incompatibleRetryMs);
});

test('a refused login ends the run in auth_failure at once', () => {
  assert.deepEqual(scripted().decide('auth_failure'), {
    type: 'end',
    state: 'auth_failure',
    message: 'because of auth_failure',
  });
});

test('after a logout on the phone the next incarnation follows at once, but not again and again', () => {
  const { delayOf } = scripted();
  assert.equal(delayOf('logged_out', limits.healthyAfterMs), 0);
  assert.deepEqual([delayOf('logged_out'), delayOf('logged_out')], [500, 1_000]);
  assert.equal(delayOf('logged_out', limits.healthyAfterMs), 0);
});

test('what a new thread did not mend gets a new browser; an outage keeps the browser it has', () => {
  const { decide } = scripted({ restartsMax: 100 });
  const levelOf = (reason: ExitReason, healthyMs = 0) => {
    const decision = decide(reason, healthyMs);
    return decision.type === 'restart' ? decision.restartLevel : null;
  };
  assert.deepEqual([levelOf('thread_threw'), levelOf('thread_threw')], ['thread', 'browser']);
  assert.equal(levelOf('thread_threw', limits.healthyAfterMs), 'thread');
  assert.equal(levelOf('browser_died', limits.healthyAfterMs), 'browser');
  for (let i = 0; i < 5; i++) assert.equal(levelOf('whatsapp_unreachable'), 'thread');
});

test('only a login that is void costs the profile', () => {
  const reasons = Object.keys(exitReasons) as ExitReason[];
  assert.deepEqual(
    reasons.filter((reason) => exitPolicy(reason).wipesProfile),
    ['logged_out'],
  );
});
