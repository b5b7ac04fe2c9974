import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SendAttempt, SendOutcome } from '../../../../src/contract/command-jobs.js';
import type { StoredJob } from '../../../../src/http/commands/job-reader.js';
import { isForgotten, settledOutcome } from '../../../../src/http/commands/send-status.js';

const now = 1_795_000_000_000;
const data = { notAfter: now + 3_600_000, wipedEpoch: 5 };
const job = {
  timestamp: now - 1,
  processedOn: null,
  finishedOn: null,
  returnvalue: null,
  attemptsStarted: 0,
};
const stored: StoredJob = { job, record: null, isUnusable: false, wipedEpoch: 5, isOwned: true, nowMs: now };
const attempt: SendAttempt = { profileId: 'p', chatId: '1@c.us', phone: null, messageId: 'm', at: now };
const attempted: StoredJob = { ...stored, record: { attempt, outcome: null } };
const expired: SendOutcome = { status: 'failed', error: { code: 'expired', message: 'too late' } };
const dayMs = 86_400_000;

function outcomeText(of: StoredJob, about = data): string | null {
  const outcome = settledOutcome(of, about);
  return outcome && `${outcome.status} ${outcome.status === 'sent' ? '' : outcome.error.code}`;
}

describe('the outcome of a send', () => {
  for (const [what, seen, about, expected] of [
    ['a waiting send', stored, data, null],
    ['a send that was tried', attempted, data, null],
    ['the outcome of the owner', { ...stored, job: settled(expired) }, data, 'failed expired'],
    [
      'an outcome that is recorded and not in the queue',
      { ...stored, record: { attempt: null, outcome: expired } },
      data,
      'failed expired',
    ],
    [
      'a settled job without an outcome',
      { ...stored, job: { ...job, finishedOn: now } },
      data,
      'unknown interrupted',
    ],
    ['a later logout', { ...stored, wipedEpoch: 6 }, data, 'failed account_changed'],
    ['an earlier logout', { ...stored, wipedEpoch: 4 }, data, null],
    ['a logout after an attempt, with an owner', { ...attempted, wipedEpoch: 6 }, data, null],
    [
      'a logout after an attempt, without an owner',
      { ...attempted, wipedEpoch: 6, isOwned: false },
      data,
      'unknown interrupted',
    ],
    [
      'a later logout, with the outcome of the owner',
      { ...stored, wipedEpoch: 6, job: settled(expired) },
      data,
      'failed expired',
    ],
    ['the last millisecond before the expiry', stored, { ...data, notAfter: now }, null],
    ['an expired send', stored, { ...data, notAfter: now - 1 }, 'failed expired'],
    ['an expired send after an attempt', attempted, { ...data, notAfter: now - 1 }, null],
  ] as readonly [string, StoredJob, typeof data, string | null][]) {
    it(`${what}: ${expected ?? 'not settled'}`, () => {
      assert.equal(outcomeText(seen, about), expected);
    });
  }

  it('is kept for a day', () => {
    const since = (finishedOn: number) => ({ ...stored, job: { ...settled(expired), finishedOn } });
    assert.equal(isForgotten(since(now - dayMs), data), false);
    assert.equal(isForgotten(since(now - dayMs - 1), data), true);
  });

  it('is kept for a day after the expiry if it is unknown', () => {
    assert.equal(isForgotten(stored, { ...data, notAfter: now - dayMs }), false);
    assert.equal(isForgotten(stored, { ...data, notAfter: now - dayMs - 1 }), true);
    assert.equal(isForgotten(attempted, { ...data, notAfter: now - dayMs - 1 }), false);
  });

  it('of a missing job is forgotten', () => {
    assert.equal(isForgotten({ ...stored, job: null }, data), true);
  });
});

function settled(outcome: SendOutcome) {
  return { ...job, finishedOn: now, returnvalue: JSON.stringify(outcome) };
}
