import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { jsonBytes } from '../../../../src/contract/json-size.js';
import { toMessage, toPageNote } from '../../../../src/session-worker/whatsapp/models.js';

describe('a message of the page', () => {
  it('is cut when it is longer than WhatsApp allows', () => {
    const long = 'x'.repeat(1_000_000);
    const message = toMessage({ id: long, body: long, type: long, chatId: long, sender: { id: long } });
    assert.ok(jsonBytes(message) < 80_000);
    assert.equal(message.is_truncated, true);
    assert.equal(toMessage({ body: 'x'.repeat(65_536) }).is_truncated, false, 'the control');
  });

  it('is truncated when the page says so', () => {
    assert.equal(toMessage({ body: 'x', isTruncated: true }).is_truncated, true);
    assert.equal(toMessage({ body: 'x', isTruncated: 'yes' }).is_truncated, false, 'the control');
  });
});

describe('what the page tells Node', () => {
  it('is read without its malformed events', () => {
    const ack = { type: 'ack', id: 'm', chatId: 'c', ack: 2, t: 7 };
    const malformed = [
      ...[null, undefined, 'ack', 7, [], {}, { type: 'other' }],
      ...[
        { ...ack, id: null },
        { ...ack, ack: 'many' },
        { ...ack, ack: Number.NaN },
      ],
    ];
    const message = { type: 'message', message: { id: 'm' } };
    assert.deepEqual(toPageNote({ type: 'events', events: [...malformed, ack, message], dropped: 3 }), {
      type: 'events',
      events: [
        { type: 'message_ack', data: { id: 'm', chat_id: 'c', ack: 2 }, timestamp: 7 },
        { type: 'message', data: toMessage({ id: 'm' }) },
      ],
      dropped: 3,
    });
  });

  it('names stories and channels by the type of their messages', () => {
    for (const [chatId, type] of [
      ['status@broadcast', 'story_image'],
      ['1@newsletter', 'channel_image'],
      ['1@c.us', 'image'],
      ['1-2@g.us', 'image'],
      ['7@broadcast', 'image'],
    ]) {
      const events = [{ type: 'message', message: { id: 'm', chatId, type: 'image' } }];
      const data = { ...toMessage({ id: 'm', chatId }), type };
      assert.deepEqual(toPageNote({ type: 'events', events }), {
        type: 'events',
        events: [{ type: 'message', data }],
        dropped: 0,
      });
    }
  });

  for (const [told, read] of [
    [{ type: 'events' }, { type: 'events', events: [], dropped: 0 }],
    [
      { type: 'events', events: { length: 1 }, dropped: 'x' },
      { type: 'events', events: [], dropped: 0 },
    ],
    [
      { type: 'socket-state', state: 'CONFLICT' },
      { type: 'socket-state', state: 'CONFLICT' },
    ],
    [{ type: 'socket-state', state: { name: 'CONFLICT' } }, null],
    [
      { type: 'unlinked', isConfirmed: true },
      { type: 'unlinked', isConfirmed: true },
    ],
    [
      { type: 'unlinked', isConfirmed: 'perhaps' },
      { type: 'unlinked', isConfirmed: false },
    ],
    [{ type: 'constructor' }, null],
    [null, null],
    ['events', null],
  ] as const) {
    it(`${JSON.stringify(told)} is read as ${JSON.stringify(read)}`, () => {
      assert.deepEqual(toPageNote(told), read);
    });
  }
});
