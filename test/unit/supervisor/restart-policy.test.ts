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

/** A policy with a clock and a random number that the test sets; the random number begins at its maximum. */
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

test('the delay doubles with each failure up to its cap', () => {
  const { delayOf } = scripted({ restartsMax: 100 });
  const delays = Array.from({ length: 6 }, () => delayOf('thread_threw'));
  assert.deepEqual(delays, [500, 1_000, 2_000, 4_000, 4_000, 4_000]);
});

test('jitter takes away up to half of a delay', () => {
  const { clock, delayOf } = scripted({ restartsMax: 100 });
  clock.chance = 0;
  assert.equal(delayOf('thread_threw'), 250);
  clock.chance = 0.5;
  assert.equal(delayOf('thread_threw'), 750);
});

test('delays start again after an incarnation that was healthy for long enough', () => {
  const { delayOf } = scripted({ restartsMax: 100 });
  delayOf('thread_threw');
  delayOf('thread_threw');
  assert.equal(delayOf('thread_threw', limits.healthyAfterMs - 1), 2_000);
  assert.equal(delayOf('thread_threw', limits.healthyAfterMs), 0);
  assert.deepEqual([delayOf('thread_threw'), delayOf('thread_threw')], [1_000, 2_000]);
});

test('the first failure after any healthy time restarts at once, one without it does not', () => {
  for (const reason of ['thread_threw', 'browser_died', 'page_hung'] as const) {
    assert.equal(scripted().delayOf(reason, 1), 0, reason);
    assert.equal(scripted().delayOf(reason), 500, reason);
  }
  const { delayOf } = scripted();
  assert.deepEqual([delayOf('thread_threw', 1), delayOf('thread_threw', 1)], [0, 1_000]);
});

test('an outage, which many sessions meet at once, has delay and jitter from the first failure on', () => {
  const { clock, delayOf } = scripted();
  clock.chance = 0.5;
  assert.equal(delayOf('whatsapp_disconnected', limits.healthyAfterMs), 375);
});

test('too many counted failures within the window end the run, with the last reason', () => {
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

test('failures outside the window do not count, and health does not clear those within', () => {
  const { clock, decide } = scripted();
  for (let i = 0; i < 10; i++) {
    assert.equal(decide('thread_threw').type, 'restart');
    clock.ms += limits.restartWindowMs / 3;
  }
  clock.ms += limits.restartWindowMs;
  for (let i = 0; i < 3; i++) assert.equal(decide('thread_threw', limits.healthyAfterMs).type, 'restart');
  assert.equal(decide('thread_threw', limits.healthyAfterMs).type, 'end');
});

test('an outage of the network or of WhatsApp never ends the run', () => {
  const { decide, delayOf } = scripted();
  for (let i = 0; i < 1_000; i++) assert.equal(decide('whatsapp_unreachable').type, 'restart');
  assert.equal(delayOf('whatsapp_disconnected'), limits.backoffMaxMs);
  assert.equal(decide('thread_threw').type, 'restart', 'it does not count for other failures');
});

test('an incompatible page is retried soon once, and then at its own long interval', () => {
  const { decide, delayOf } = scripted();
  assert.deepEqual(decide('incompatible_page'), { type: 'restart', delayMs: 500, restartLevel: 'browser' });
  for (let i = 0; i < 20; i++) assert.equal(delayOf('incompatible_page'), limits.incompatibleRetryMs);
});

test('after another failure in between, an incompatible page is retried soon again', () => {
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

test('after a logout on the phone the restart is at once, but repeated logouts back off', () => {
  const { delayOf } = scripted();
  assert.equal(delayOf('logged_out', limits.healthyAfterMs), 0);
  assert.deepEqual([delayOf('logged_out'), delayOf('logged_out')], [500, 1_000]);
  assert.equal(delayOf('logged_out', limits.healthyAfterMs), 0);
});

test('a second failure gets a new browser; an outage keeps the browser', () => {
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

test('only logged_out wipes the profile', () => {
  const reasons = Object.keys(exitReasons) as ExitReason[];
  assert.deepEqual(
    reasons.filter((reason) => exitPolicy(reason).wipesProfile),
    ['logged_out'],
  );
});
