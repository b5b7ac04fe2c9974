import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { describe, it } from 'node:test';
import { catchUp } from '../../../../src/http/events/catch-up.js';
import { follow } from '../../../../src/http/events/followed.js';
import { selectTypes } from '../../../../src/http/events/frames.js';
import { SseClient } from '../../../../src/http/events/sse-client.js';
import { bothAt, isAfter, type Position } from '../../../../src/platform/store/event-positions.js';
import type { EventPage } from '../../../../src/platform/store/event-stream.js';

describe('a catch-up', () => {
  const stream = [1, 2, 3, 4].map((n) => ({
    id: `${n}-0`,
    session: 'default',
    type: 'message',
    json: `{"n":${n}}`,
  }));

  /** The stream when it has `length` entries. */
  function page(length: number, after: Position): EventPage {
    const entries = stream.slice(0, length);
    return {
      end: bothAt(entries.at(-1)?.id ?? '-'),
      readerStart: bothAt(entries.at(-1)?.id ?? '-'),
      losses: [],
      next: null,
      isLast: !entries.some(({ id }) => isAfter(id, after)),
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
      followed: follow(['default']),
      selectFrame: selectTypes(null, false),
      isGuest: false,
      positions: bothAt('1-0'),
      maxBufferedBytes: 1,
      onCutOff: () => assert.fail('cut off'),
      onFault: () => assert.fail('failed'),
    });
    const start = isResuming ? null : { readerCursor: readerPosition, page: page(1, '+') };
    // The stream reader moves after the start was read, and once more during the next read.
    readerPosition = '3-0';
    const moves: Position[] = ['4-0'];
    await catchUp({
      client,
      start,
      async readPage({ ofDefault: after }) {
        const answer = page(Number(readerPosition.split('-')[0]), after);
        readerPosition = moves.shift() ?? readerPosition;
        return answer;
      },
      acquireSlot: async () => () => undefined,
      readerCursor: () => readerPosition,
      goLive: () => {
        joinedAt = client.positions.ofDefault;
      },
      readDeadlineMs: 1,
      signal: new AbortController().signal,
    });
    return { written, joinedAt };
  }

  for (const isResuming of [true, false]) {
    it(`goes live only after it has sent everything before, ${isResuming ? 'resuming' : 'live'}`, async () => {
      const { written, joinedAt } = await run(isResuming);
      assert.equal(joinedAt, '4-0');
      assert.deepEqual(written.match(/id: \d-0/g), ['id: 2-0', 'id: 3-0', 'id: 4-0']);
    });
  }
});
