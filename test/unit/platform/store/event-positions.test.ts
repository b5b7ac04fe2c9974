import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  isAfter,
  isEventId,
  lossesAt,
  lossesInIndex,
  type StreamBounds,
} from '../../../../src/platform/store/event-positions.js';

const none: StreamBounds = { oldestId: null, lastId: null, isWhole: true };

function from(oldest: number, last: number, isWhole = true): StreamBounds {
  return { oldestId: `${oldest}-0`, lastId: `${last}-0`, isWhole };
}

const trimmed = (session: string, oldest: number) => ({ session, kind: 'trimmed', oldestId: `${oldest}-0` });
const reset = (session: string, oldest: number | null) => ({
  ...{ session, kind: 'reset' },
  oldestId: oldest === null ? null : `${oldest}-0`,
});

describe('positions in the stream', () => {
  it('are ordered as numbers', () => {
    assert.ok(isAfter('10-0', '9-0'));
    assert.ok(isAfter('10-10', '10-9'));
    assert.ok(!isAfter('10-9', '10-9'));
    assert.ok(!isAfter('9-10', '10-9'));
    assert.ok(isAfter('0-1', '-'));
  });

  it('are recognized', () => {
    for (const id of ['0-0', '1735689600000-0', '1735689600000-12']) assert.ok(isEventId(id), id);
    for (const id of ['', '-', '+', '1', '1-', '01-0', '1-01', '1-0 ', '1-0\n', '(1-0', '1e3-0', '-1-0']) {
      assert.ok(!isEventId(id), id);
    }
  });

  describe('of a client of one session', () => {
    const a = (bounds: StreamBounds) => [{ session: 'a', ...bounds }];

    it('have a loss when the events after them are not kept', () => {
      for (const position of ['-', '+', '5-0', '7-0', '9-0']) {
        assert.deepEqual(lossesAt(position, none, a(from(5, 9))), [], position);
      }
      assert.deepEqual(lossesAt('4-9', none, a(from(5, 9))), [trimmed('a', 5)]);
      assert.deepEqual(lossesAt('9-1', none, a(from(5, 9))), [reset('a', 5)]);
      assert.deepEqual(lossesAt('9-0', none, a(none)), [reset('a', null)]);
      assert.deepEqual(lossesAt('-', none, a(none)), []);
    });

    it('have none after the id of a later event of another session', () => {
      assert.deepEqual(lossesAt('12-0', from(1, 12), a(from(5, 9))), []);
      assert.deepEqual(lossesAt('13-0', from(1, 12), a(from(5, 9))), [reset('a', 5)]);
    });
  });

  describe('of a client of several sessions', () => {
    const streams = (a: StreamBounds, b: StreamBounds) => [
      { session: 'a', ...a },
      { session: 'b', ...b },
    ];

    it('have no loss after an event of one of them, or of a session beyond them', () => {
      assert.deepEqual(lossesAt('9-0', from(3, 9), streams(from(3, 4), from(5, 9))), []);
      assert.deepEqual(lossesAt('4-0', from(3, 9), streams(from(3, 4), from(5, 9))), []);
      assert.deepEqual(lossesAt('4-0', from(3, 9), streams(from(3, 4), none)), []);
      assert.deepEqual(lossesAt('20-0', from(3, 20), streams(from(3, 4), from(5, 9))), []);
      assert.deepEqual(lossesAt('4-0', none, streams(from(3, 4), from(5, 9))), [], 'without an index');
      assert.deepEqual(lossesAt('11-0', from(15, 20), streams(from(3, 4), from(5, 9))), []);
    });

    it('have a loss of the session whose events were deleted', () => {
      const [a, b] = [from(3, 9), from(5, 9, false)];
      assert.deepEqual(lossesAt('4-0', from(3, 9), streams(a, b)), [trimmed('b', 5)]);
      assert.deepEqual(lossesAt('5-0', from(3, 9), streams(a, b)), []);
    });

    it('have one loss when nothing knows the position, or when Redis lost its data', () => {
      assert.deepEqual(lossesAt('4-0', from(5, 9), streams(from(6, 9), from(5, 9))), [trimmed('*', 5)]);
      assert.deepEqual(lossesAt('9-1', from(5, 9), streams(from(6, 9), from(5, 9))), [reset('*', 5)]);
      assert.deepEqual(lossesAt('4-0', none, streams(none, none)), [reset('*', null)]);
    });
  });

  describe('of a client of all sessions', () => {
    const inIndex = (position: string, index: StreamBounds, ofDefault: StreamBounds) =>
      lossesInIndex(position, index, { session: 'default', ...ofDefault });

    it('have a loss when the index does not reach back to them', () => {
      assert.deepEqual(inIndex('5-0', from(5, 9, false), none), []);
      assert.deepEqual(inIndex('4-0', from(5, 9, false), none), [trimmed('*', 5)]);
      assert.deepEqual(inIndex('4-0', from(5, 9, false), from(3, 9)), [trimmed('*', 5)]);
      assert.deepEqual(inIndex('9-1', from(5, 9), none), [reset('*', 5)]);
      assert.deepEqual(inIndex('4-0', none, none), [reset('*', null)]);
    });

    it('have none where the index began, after events of default that an earlier version wrote', () => {
      assert.deepEqual(inIndex('4-0', from(5, 9), from(3, 9)), []);
      assert.deepEqual(inIndex('4-0', none, from(3, 4)), []);
      assert.deepEqual(inIndex('2-0', from(5, 9), from(3, 9)), [trimmed('*', 3)]);
    });

    it('have a loss of default when its events were deleted', () => {
      assert.deepEqual(inIndex('4-0', from(3, 9), from(6, 9, false)), [trimmed('default', 6)]);
      assert.deepEqual(inIndex('4-0', from(3, 9), from(6, 9)), []);
    });
  });
});
