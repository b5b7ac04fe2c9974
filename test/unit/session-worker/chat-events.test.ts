import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Message } from '../../../src/contract/whatsapp.js';
import { relayChatEvents } from '../../../src/session-worker/chat-events.js';
import type { ChatEventData } from '../../../src/session-worker/event-relay.js';
import { toMessage } from '../../../src/session-worker/whatsapp/models.js';

describe('relayed chat events', () => {
  it('keep their order, and messages get the numbers of their senders', async () => {
    const added: ChatEventData[] = [];
    const sender = { id: '7@lid', phone: '15551234567', lid: '7@lid', name: null };
    const parts = {
      phones: {
        completeSenders: async (messages: Message[]) => messages.map((each) => ({ ...each, sender })),
      },
      relay: { add: async (events: ChatEventData[]) => void added.push(...events) },
      log: { warn: () => undefined },
    } as unknown as Parameters<typeof relayChatEvents>[0];
    const [first, second] = [toMessage({ id: 'a' }), toMessage({ id: 'b' })];
    const ack = { id: 'a', chat_id: 'c', ack: 2 };
    await relayChatEvents(
      parts,
      [
        { type: 'message', data: first },
        { type: 'message_ack', data: ack, timestamp: 7 },
        { type: 'message', data: second },
      ],
      0,
    );
    assert.deepEqual(added, [
      { type: 'message', data: { ...first, sender } },
      { type: 'message_ack', data: ack },
      { type: 'message', data: { ...second, sender } },
    ]);
  });
});
