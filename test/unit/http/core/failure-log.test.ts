import assert from 'node:assert/strict';
import { it, mock } from 'node:test';
import { ApiError } from '../../../../src/contract/errors.js';
import { FailureLog } from '../../../../src/http/core/failure-log.js';
import { logTo } from '../../../support/log-lines.js';

const quietMs = 60_000;
const warn = 40;

/** A log of failures whose time the test moves. */
function withLog(body: (failures: FailureLog, lines: Record<string, unknown>[]) => void): void {
  const lines: Record<string, unknown>[] = [];
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    body(new FailureLog(logTo(lines), quietMs), lines);
  } finally {
    mock.timers.reset();
  }
}

const outage = () =>
  new ApiError('redis_unavailable', 'Redis does not answer; try again shortly', {
    cause: new Error('Reached the max retries per request limit (which is 0).'),
  });
const warnings = (lines: readonly Record<string, unknown>[]) => lines.filter(({ level }) => level === warn);

it('an outage is one warning at its first request, without a stack, and one with the count at its end', () =>
  withLog((failures, lines) => {
    for (let i = 1; i <= 3_600; i++) {
      failures.add({ requestId: `r${i}` }, outage(), 'request failed');
      mock.timers.tick(1_000);
    }
    assert.equal(lines.length, 3_600);
    const [first, ...others] = warnings(lines);
    assert.deepEqual(others, []);
    assert.equal(first?.requestId, 'r1');
    assert.equal(first?.error, 'Redis does not answer; try again shortly');
    assert.doesNotMatch(JSON.stringify(lines), /stack|max retries/);

    mock.timers.tick(quietMs);
    const { msg, code, count } = warnings(lines)[1] ?? {};
    assert.deepEqual(
      { msg, code, count },
      { msg: 'requests failed; only the first one was logged', code: 'redis_unavailable', count: 3_600 },
    );

    failures.add({ requestId: 'later' }, outage(), 'request failed');
    assert.equal(warnings(lines)[2]?.requestId, 'later', 'the next outage is logged again');
    mock.timers.tick(quietMs);
    assert.equal(warnings(lines).length, 3, 'one failure needs no count');
  }));

it('failures with different codes do not hide each other, and closing the log ends all of them', () =>
  withLog((failures, lines) => {
    for (const error of [outage(), new ApiError('timeout', 'too late'), outage()]) {
      failures.add({}, error, 'request failed');
    }
    assert.deepEqual(
      warnings(lines).map(({ code }) => code),
      ['redis_unavailable', 'timeout'],
    );
    failures.close();
    assert.deepEqual(
      warnings(lines).map(({ count }) => count),
      [undefined, undefined, 2],
    );
  }));

it('the reply of a Redis that refuses is in the line', () =>
  withLog((failures, lines) => {
    const cause = Object.assign(new Error('MISCONF Redis is configured to save'), { name: 'ReplyError' });
    failures.add(
      {},
      new ApiError('redis_unavailable', 'Redis refuses this now', { cause }),
      'request failed',
    );
    assert.equal(lines[0]?.reply, cause.message);
  }));

it('a defect is logged each time, with its cause', () =>
  withLog((failures, lines) => {
    const cause = new TypeError('x is undefined');
    for (let i = 0; i < 3; i++) {
      failures.add({}, new ApiError('internal_error', 'unexpected', { cause }), 'request failed');
    }
    const errors = warnings(lines).map(({ err }) => err as { message: string; stack: string });
    assert.deepEqual(
      errors.map(({ message }) => message),
      Array(3).fill(cause.message),
    );
    assert.match(errors[0]?.stack ?? '', /failure-log\.test/);
  }));
