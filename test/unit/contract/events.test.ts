import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { eventsOfChange, type SessionEvent, storedEvent } from '../../../src/contract/events.js';
import { jsonBytes } from '../../../src/contract/json-size.js';
import { composeStatus, neverStarted, storedStatus } from '../../../src/contract/status.js';
import type { Message } from '../../../src/contract/whatsapp.js';
import { toMessage } from '../../../src/session-worker/whatsapp/models.js';

/** In bytes. */
const eventSize = 65_536;

const facts = neverStarted({ auth_dir: '', chrome_executable: '', headless: true, session: 'default' });

function eventOf(fields: Partial<Message>): SessionEvent<'message'> {
  return { type: 'message', session: 'default', at: 'now', data: { ...toMessage({ id: 'm' }), ...fields } };
}

/** An event whose JSON has exactly so many bytes. */
function eventOfBytes(bytes: number): SessionEvent<'message'> {
  return eventOf({ body: 'x'.repeat(bytes - jsonBytes(eventOf({ body: '' }))) });
}

function parsedEvent(event: SessionEvent): SessionEvent {
  const { json } = storedEvent(event);
  assert.ok(json !== null && Buffer.byteLength(json) <= eventSize, `${Buffer.byteLength(json ?? '')}`);
  return JSON.parse(json) as SessionEvent;
}

describe('an event', () => {
  it('is whole at its bound, and one byte beyond it is cut and says so', () => {
    const whole = eventOfBytes(eventSize);
    assert.deepEqual(storedEvent(whole), { json: JSON.stringify(whole), isCut: false });
    const { data } = parsedEvent(eventOfBytes(eventSize + 1)) as SessionEvent<'message'>;
    assert.equal(data.is_truncated, true);
    assert.equal(data.body.length, jsonRoom());
  });

  it('is within its bound for any characters, with as much text as fits', () => {
    for (const part of ['€', '\u0001', '"', '😀', '\ud800']) {
      const event = parsedEvent(
        eventOf({ body: part.repeat(65_536 / part.length) }),
      ) as SessionEvent<'message'>;
      assert.equal(event.data.is_truncated, true);
      assert.ok(jsonBytes(event) > eventSize - 8, `${jsonBytes(event)}`);
      assert.ok(event.data.body.endsWith(part));
    }
  });

  it('is within its bound when other fields are long or of another type', () => {
    const long = '\u0001'.repeat(200_000);
    const sender = { id: long, phone: long, lid: long, name: long };
    const malformed = { ...eventOf({ body: long, id: long, from: long, sender }) };
    assert.equal((parsedEvent(malformed) as SessionEvent<'message'>).data.is_truncated, true);
    const list = Array.from({ length: 50_000 }, () => long.slice(0, 100));
    parsedEvent(eventOf({ author: list as unknown as string, body: long }));
    parsedEvent({
      type: 'message_ack',
      session: 'default',
      at: '',
      data: { id: long, chat_id: long, ack: 1 },
    });
  });

  it('of a status is within its bound, however long the texts of the page are', () => {
    const long = '\u0001'.repeat(100_000);
    const page = { version: long, capabilities: {}, repairs: Array(1_000).fill(long), problem: long };
    const account = { wid: long, pushname: long, platform: long };
    const change = { state: 'ready', lastError: long, account, page } as never;
    const status = storedStatus(composeStatus(facts, change, null));
    parsedEvent({ type: 'state', session: 'default', at: '', data: status });
  });
});

describe('the event passkey', () => {
  const passkey = {
    ...{ id: 'p', step: 'answer', attempt: 1, expires_at: '2026-01-01T10:10:05.000Z' },
    ...{ code_needed: false, problem: null },
  } as const;
  const statusWith = (request: object | null) =>
    composeStatus(
      facts,
      { state: 'passkey_required', lastError: null, account: null, passkey: request } as never,
      null,
    );
  const events = (before: object | null, after: object | null) =>
    eventsOfChange(statusWith(before), statusWith(after)).flatMap(({ type, data }) =>
      type === 'passkey' ? [data] : [],
    );

  it('tells a new request, a new step and the end', () => {
    const { id, step, expires_at } = passkey;
    assert.deepEqual(events(null, passkey), [{ step, id, expires_at }]);
    assert.deepEqual(events(passkey, { ...passkey, step: 'phone' }), [{ step: 'phone', id, expires_at }]);
    assert.deepEqual(events(passkey, null), [null]);
  });

  it('is not repeated when what it tells stays the same', () => {
    assert.deepEqual(events(passkey, { ...passkey, code_needed: true, problem: 'x', attempt: 2 }), []);
    assert.deepEqual(events(null, null), []);
  });
});

/** Length of an ASCII body that fills a cut event. */
function jsonRoom(): number {
  return eventSize - jsonBytes(eventOf({ body: '', is_truncated: true }));
}
