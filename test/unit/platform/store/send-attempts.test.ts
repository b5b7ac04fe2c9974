import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseSendRecord } from '../../../../src/platform/store/send-attempts.js';

const attempt = { profileId: 'p', chatId: 'c', messageId: 'm', phone: '1', at: 1 };
const failed = { status: 'failed', error: { code: 'expired', message: 'late' } };

describe('the record of a send', () => {
  it('is parsed as it was written', () => {
    assert.equal(parseSendRecord(null), null);
    for (const record of [
      { attempt, outcome: null },
      { attempt: null, outcome: failed },
    ])
      assert.deepEqual(parseSendRecord(JSON.stringify(record)), record);
  });

  it('of an earlier version has no phone, and perhaps no message id', () => {
    const { phone: _, messageId: __, ...before } = attempt;
    for (const messageId of [undefined, null, '']) {
      const record = JSON.stringify({ attempt: { ...before, messageId }, outcome: null });
      const read = { ...before, messageId: null, phone: null };
      assert.deepEqual(parseSendRecord(record), { attempt: read, outcome: null });
    }
  });

  it('that is unreadable counts as a possible attempt, and does not throw', () => {
    const unreadable = { attempt: 'unreadable', outcome: null };
    for (const text of [
      '',
      '{',
      '[]',
      '7',
      'null',
      '{}',
      '{"attempt":null}',
      '{"attempt":"unreadable","outcome":null}',
    ])
      assert.deepEqual(parseSendRecord(text), unreadable, text);
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        assert.deepEqual(parseSendRecord(text), unreadable);
      }),
    );
  });
});
