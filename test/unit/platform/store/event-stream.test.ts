import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isAfter, isEventId, lossAt, type StreamView } from '../../../../src/platform/store/event-stream.js';

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

  it('have a loss when the events after them are not kept', () => {
    const kept: StreamView = { oldestId: '5-0', lastId: '9-0', entries: [] };
    const none: StreamView = { oldestId: null, lastId: null, entries: [] };
    assert.deepEqual(
      ['-', '+', '5-0', '7-0', '9-0'].map((position) => lossAt(position, kept)),
      [null, null, null, null, null],
    );
    assert.equal(lossAt('4-9', kept), 'trimmed');
    assert.equal(lossAt('9-1', kept), 'reset');
    assert.equal(lossAt('9-0', none), 'reset');
    assert.equal(lossAt('-', none), null);
  });
});
