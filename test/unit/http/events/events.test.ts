import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { describe, it } from 'node:test';
import { catchUp } from '../../../../src/http/events/catch-up.js';
import { framedEntry, gapFrame, pingFrame, selectTypes } from '../../../../src/http/events/frames.js';
import { SseClient } from '../../../../src/http/events/sse-client.js';
import {
  isAfter,
  isEventId,
  lossAt,
  type Position,
  type StreamView,
} from '../../../../src/platform/store/event-stream.js';

describe('places in the stream', () => {
  it('are ordered as numbers, not as text', () => {
    assert.ok(isAfter('10-0', '9-0'));
    assert.ok(isAfter('10-10', '10-9'));
    assert.ok(!isAfter('10-9', '10-9'));
    assert.ok(!isAfter('9-10', '10-9'));
    assert.ok(isAfter('0-1', '-'));
  });

  it('are told from everything else', () => {
    for (const id of ['0-0', '1735689600000-0', '1735689600000-12']) assert.ok(isEventId(id), id);
    for (const id of ['', '-', '+', '1', '1-', '01-0', '1-01', '1-0 ', '1-0\n', '(1-0', '1e3-0', '-1-0']) {
      assert.ok(!isEventId(id), id);
    }
  });

  it('lose something where what follows them is not kept', () => {
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

describe('frames', () => {
  const entry = { id: '5-0', type: 'message', json: '{"type":"message"}' };

  it('are one block each, with the place of the event', () => {
    assert.equal(
      framedEntry(entry).frame.toString(),
      'id: 5-0\nevent: message\ndata: {"type":"message"}\n\n',
    );
    assert.equal(pingFrame(null).toString(), ': ping\n\n');
    assert.equal(pingFrame('5-0').toString(), ': ping\nid: 5-0\n\n');
    assert.match(gapFrame('default', null).toString(), /^event: gap\ndata: \{.*"oldest_id":null\}\n\n$/);
  });

  it('of what is internal reach nobody', () => {
    const job = framedEntry({ ...entry, type: 'job' });
    assert.equal(selectTypes(null)(job), null);
    assert.equal(selectTypes(new Set(['state']))(framedEntry(entry)), null);
    assert.equal(selectTypes(null)(framedEntry(entry))?.toString().includes('id: 5-0'), true);
  });
});

describe('catching up', () => {
  const stream = [1, 2, 3, 4].map((n) => ({ id: `${n}-0`, type: 'message', json: `{"n":${n}}` }));

  /** The stream as it is when it has `length` entries. */
  function view(length: number, after: Position): StreamView {
    const entries = stream.slice(0, length);
    return {
      oldestId: entries[0]?.id ?? null,
      lastId: entries.at(-1)?.id ?? null,
      entries: entries.filter(({ id }) => isAfter(id, after)),
    };
  }

  async function run(isResuming: boolean): Promise<{ written: string; joinedAt: Position | null }> {
    let readerPosition: Position = '1-0';
    let joinedAt: Position | null = null;
    let written = '';
    const response = {
      writableLength: 0,
      writableNeedDrain: false,
      write: (frame: Buffer) => {
        written += frame.toString();
      },
    };
    const client = new SseClient({
      response: response as unknown as ServerResponse,
      session: 'default',
      selectFrame: selectTypes(null),
      isGuest: false,
      position: '1-0',
      maxBufferedBytes: 1,
      onCutOff: () => assert.fail('cut off'),
      onFault: () => assert.fail('failed'),
    });
    const start = {
      readerPosition,
      view: view(1, '+'),
      wasOwnerGone: false,
    };
    // The stream reader moves after the start was read, and once more during the next read.
    readerPosition = '3-0';
    const moves: Position[] = ['4-0'];
    await catchUp({
      client,
      start,
      isResuming,
      async readPage(after) {
        const answer = view(Number(readerPosition.split('-')[0]), after);
        readerPosition = moves.shift() ?? readerPosition;
        return answer;
      },
      acquireSlot: async () => () => undefined,
      readerPosition: () => readerPosition,
      goLive: () => {
        joinedAt = client.position;
      },
      readDeadlineMs: 1,
      signal: new AbortController().signal,
    });
    return { written, joinedAt };
  }

  for (const isResuming of [true, false]) {
    it(`joins only with all that was handed on before, ${isResuming ? 'resuming' : 'live'}`, async () => {
      const { written, joinedAt } = await run(isResuming);
      assert.equal(joinedAt, '4-0');
      assert.deepEqual(written.match(/id: \d-0/g), ['id: 2-0', 'id: 3-0', 'id: 4-0']);
    });
  }
});
