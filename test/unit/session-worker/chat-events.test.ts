import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Message } from '../../../src/contract/whatsapp.js';
import { relayChatEvents } from '../../../src/session-worker/chat-events.js';
import type { ChatEventData } from '../../../src/session-worker/event-relay.js';

describe('relayed chat events', () => {
  it('omit malformed acknowledgements', async () => {
    const added: ChatEventData[] = [];
    const parts = {
      phones: { completeSenders: async (messages: Message[]) => messages },
      relay: { add: async (events: ChatEventData[]) => void added.push(...events) },
      log: { warn: () => undefined },
    } as unknown as Parameters<typeof relayChatEvents>[0];
    const ack = { type: 'ack', id: 'm', chatId: 'c', ack: 2, t: null } as const;
    const malformed = [
      { ...ack, id: null },
      { ...ack, ack: 'many' },
      { ...ack, ack: Number.NaN },
    ] as never[];
    await relayChatEvents(parts, [...malformed, ack], 0);
    assert.deepEqual(added, [{ type: 'message_ack', data: { id: 'm', chat_id: 'c', ack: 2 } }]);
  });
});
