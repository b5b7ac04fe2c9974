import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { jsonBytes } from '../../../../src/contract/json-size.js';
import { toAck, toMessage } from '../../../../src/session-worker/whatsapp/models.js';

describe('a message of the page', () => {
  it('is cut when it is longer than WhatsApp allows', () => {
    const long = 'x'.repeat(1_000_000);
    const message = toMessage({ id: long, body: long, type: long, chatId: long, sender: { id: long } });
    assert.ok(jsonBytes(message) < 80_000);
    assert.equal(message.is_truncated, true);
    assert.equal(toMessage({ body: 'x'.repeat(65_536) }).is_truncated, false, 'the control');
  });
});

describe('an acknowledgement of the page', () => {
  it('is dropped when it is malformed', () => {
    assert.equal(toAck(null), null);
  });
});
