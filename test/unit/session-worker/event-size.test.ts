import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bounds } from '../../../src/contract/bounds.js';
import { type SessionEvent, storedEvent } from '../../../src/contract/events.js';
import { cutText, jsonBytes } from '../../../src/contract/json-size.js';
import { composeStatus, neverStarted, storedStatus } from '../../../src/contract/status.js';
import type { Message } from '../../../src/contract/whatsapp.js';
import { relayChatEvents } from '../../../src/session-worker/chat-events.js';
import type { ChatEventData } from '../../../src/session-worker/event-relay.js';
import { toAck, toMessage } from '../../../src/session-worker/whatsapp/models.js';

const facts = neverStarted({ auth_dir: '', chrome_executable: '', headless: true, session: 'default' });

function eventOf(fields: Partial<Message>): SessionEvent<'message'> {
  return { type: 'message', session: 'default', at: 'now', data: { ...toMessage({ id: 'm' }), ...fields } };
}

/** One whose JSON has exactly so many bytes. */
function eventOfBytes(bytes: number): SessionEvent<'message'> {
  return eventOf({ body: 'x'.repeat(bytes - jsonBytes(eventOf({ body: '' }))) });
}

function told(event: SessionEvent): SessionEvent {
  const { json } = storedEvent(event);
  assert.ok(json !== null && Buffer.byteLength(json) <= bounds.eventSize, `${Buffer.byteLength(json ?? '')}`);
  return JSON.parse(json) as SessionEvent;
}

describe('a text that is cut', () => {
  it('takes as many bytes as JSON gives it, and ends between two characters', () => {
    for (const part of ['a', '"', '\\', '\n', '\u0001', '\u007f', 'é', '€', '😀', '\ud800', '\udc00x']) {
      const text = part.repeat(50);
      for (const most of [0, 1, 5, 6, 7, 40, 99, 1_000]) {
        const cut = cutText(text, most);
        assert.ok(text.startsWith(cut) && jsonBytes(cut) - 2 <= most, JSON.stringify([part, most]));
        const next = String.fromCodePoint(text.codePointAt(cut.length) ?? 0);
        if (cut !== text) assert.ok(jsonBytes(cut + next) - 2 > most, JSON.stringify([part, most]));
      }
    }
    assert.equal(cutText('😀😀', 7), '😀');
  });
});

describe('an event', () => {
  it('is told whole at its bound, and one byte beyond it says that it is cut', () => {
    const whole = eventOfBytes(bounds.eventSize);
    assert.deepEqual(storedEvent(whole), { json: JSON.stringify(whole), isCut: false });
    const { data } = told(eventOfBytes(bounds.eventSize + 1)) as SessionEvent<'message'>;
    assert.equal(data.is_truncated, true);
    assert.equal(data.body.length, jsonRoom());
  });

  it('obeys its bound whatever its text is made of, and tells as much as fits', () => {
    for (const part of ['€', '\u0001', '"', '😀', '\ud800']) {
      const event = told(eventOf({ body: part.repeat(65_536 / part.length) })) as SessionEvent<'message'>;
      assert.equal(event.data.is_truncated, true);
      assert.ok(jsonBytes(event) > bounds.eventSize - 8, `${jsonBytes(event)}`);
      assert.ok(event.data.body.endsWith(part));
    }
  });

  it('obeys it where other fields are long, or of another type', () => {
    const long = '\u0001'.repeat(200_000);
    const sender = { id: long, phone: long, lid: long, name: long };
    const odd = { ...eventOf({ body: long, id: long, from: long, sender }) };
    assert.equal((told(odd) as SessionEvent<'message'>).data.is_truncated, true);
    const list = Array.from({ length: 50_000 }, () => long.slice(0, 100));
    told(eventOf({ author: list as unknown as string, body: long }));
    told({ type: 'message_ack', session: 'default', at: '', data: { id: long, chat_id: long, ack: 1 } });
  });
});

describe('a status', () => {
  it('keeps a sentence at its bound, and is cut beyond it', () => {
    const withError = (length: number) =>
      composeStatus(facts, { state: 'qr', lastError: 'e'.repeat(length), account: null }, null);
    const whole = withError(bounds.statusText);
    assert.equal(storedStatus(whole), whole);
    assert.deepEqual(storedStatus(withError(bounds.statusText + 1)), whole);
  });

  it('is an event within its bound, whatever the page says of itself', () => {
    const long = '\u0001'.repeat(100_000);
    const page = { version: long, capabilities: {}, repairs: Array(1_000).fill(long), problem: long };
    const account = { wid: long, pushname: long, platform: long };
    const change = { state: 'ready', lastError: long, account, page } as never;
    const status = storedStatus(composeStatus(facts, change, null));
    told({ type: 'state', session: 'default', at: '', data: status });
  });
});

describe('what the page tells', () => {
  it('is cut where it is longer than WhatsApp has it', () => {
    const long = 'x'.repeat(1_000_000);
    const message = toMessage({ id: long, body: long, type: long, chatId: long, sender: { id: long } });
    assert.ok(jsonBytes(message) < 80_000);
    assert.equal(message.is_truncated, true);
    assert.equal(toMessage({ body: 'x'.repeat(65_536) }).is_truncated, false, 'the control');
  });

  it('costs itself only, where it is an acknowledgement of nothing', async () => {
    const added: ChatEventData[] = [];
    const parts = {
      phones: { completeSenders: async (messages: Message[]) => messages },
      relay: { add: async (events: ChatEventData[]) => void added.push(...events) },
      log: { warn: () => undefined },
    } as unknown as Parameters<typeof relayChatEvents>[0];
    const ack = { type: 'ack', id: 'm', chatId: 'c', ack: 2, t: null } as const;
    const odd = [
      { ...ack, id: null },
      { ...ack, ack: 'many' },
      { ...ack, ack: Number.NaN },
    ] as never[];
    await relayChatEvents(parts, [...odd, ack], 0);
    assert.deepEqual(added, [{ type: 'message_ack', data: { id: 'm', chat_id: 'c', ack: 2 } }]);
    assert.equal(toAck(null), null);
  });
});

/** Of an ASCII body, in an event that says that it is cut. */
function jsonRoom(): number {
  return bounds.eventSize - jsonBytes(eventOf({ body: '', is_truncated: true }));
}
