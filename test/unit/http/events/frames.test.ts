import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  framedEntry,
  gapFrame,
  pingFrame,
  selectForGuest,
  selectTypes,
} from '../../../../src/http/events/frames.js';

describe('frames', () => {
  const entry = { id: '5-0', session: 'default', type: 'message', json: '{"type":"message"}' };

  it('are one block each, with the id of the event', () => {
    assert.equal(
      framedEntry(entry).frame.toString(),
      'id: 5-0\nevent: message\ndata: {"type":"message"}\n\n',
    );
    assert.equal(pingFrame(null).toString(), ': ping\n\n');
    assert.equal(pingFrame('5-0').toString(), ': ping\nid: 5-0\n\n');
    assert.match(gapFrame('default', null).toString(), /^event: gap\ndata: \{.*"oldest_id":null\}\n\n$/);
  });

  it('say that an event of the index is no longer in its stream', () => {
    const { type, session, id, frame } = framedEntry({ id: '5-0', session: 'b', oldestId: '7-0' });
    assert.deepEqual([type, session, id], ['gap', 'b', '5-0']);
    assert.match(
      frame.toString(),
      /^event: gap\ndata: \{"type":"gap","session":"b",.*"oldest_id":"7-0"\}\n\n$/,
    );
  });

  describe('for a guest', () => {
    const select = selectForGuest(null);
    const facts = { session: 'default', at: '2026-01-15T09:30:12.345Z' };
    const entryOf = (type: string, event: unknown) => ({
      ...entry,
      type,
      json: JSON.stringify(event),
    });

    it('have the bare state or the code, and no id', () => {
      const state = entryOf('state', { type: 'state', ...facts, data: { state: 'qr', account: 'secret' } });
      const bare = JSON.stringify({ type: 'state', ...facts, data: { state: 'qr' } });
      assert.equal(select(framedEntry(state))?.toString(), `event: state\ndata: ${bare}\n\n`);
      const code = { available: true, number: 1, expires_at: '2026-01-15T09:31:12.345Z' };
      const qr = entryOf('qr', { type: 'qr', ...facts, data: code });
      assert.equal(select(framedEntry(qr))?.toString(), `event: qr\ndata: ${qr.json}\n\n`);
      assert.equal(select(framedEntry(entryOf('message', { type: 'message', ...facts, data: {} }))), null);
    });

    it('are encoded once for all guests', () => {
      const event = framedEntry(entryOf('state', { type: 'state', ...facts, data: { state: 'qr' } }));
      assert.notEqual(select(event), null);
      assert.equal(select(event), selectForGuest(new Set(['state']))(event));
    });

    it('are missing for an event of another shape', () => {
      for (const type of ['state', 'qr']) {
        for (const event of [{}, { type, ...facts, data: null }, { type, ...facts, data: {} }]) {
          assert.equal(select(framedEntry(entryOf(type, event))), null);
        }
      }
    });
  });

  it('are not sent for internal events', () => {
    const job = framedEntry({ ...entry, type: 'job' });
    assert.equal(selectTypes(null, false)(job), null);
    assert.equal(selectTypes(new Set(['state']), false)(framedEntry(entry)), null);
    assert.equal(selectTypes(null, false)(framedEntry(entry))?.toString().includes('id: 5-0'), true);
  });
});
