import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { framedEntry, gapFrame, pingFrame, selectTypes } from '../../../../src/http/events/frames.js';

describe('frames', () => {
  const entry = { id: '5-0', type: 'message', json: '{"type":"message"}' };

  it('are one block each, with the id of the event', () => {
    assert.equal(
      framedEntry(entry).frame.toString(),
      'id: 5-0\nevent: message\ndata: {"type":"message"}\n\n',
    );
    assert.equal(pingFrame(null).toString(), ': ping\n\n');
    assert.equal(pingFrame('5-0').toString(), ': ping\nid: 5-0\n\n');
    assert.match(gapFrame('default', null).toString(), /^event: gap\ndata: \{.*"oldest_id":null\}\n\n$/);
  });

  it('are not sent for internal events', () => {
    const job = framedEntry({ ...entry, type: 'job' });
    assert.equal(selectTypes(null)(job), null);
    assert.equal(selectTypes(new Set(['state']))(framedEntry(entry)), null);
    assert.equal(selectTypes(null)(framedEntry(entry))?.toString().includes('id: 5-0'), true);
  });
});
