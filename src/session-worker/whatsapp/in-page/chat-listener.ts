import type { Ignore } from '../../../contract/session-record.js';
import type { Descriptions } from './descriptions.js';
import type { Ids } from './ids.js';
import type { NodeChannel, PageEvent } from './node-channel.js';
import type { Foreign, PageAccess } from './page-access.js';

export interface ChatListener {
  /** Attaches listeners for messages, acknowledgements and the state of the connection, once per page. */
  listen(input: { ignore: Ignore }): void;
  isListening(): boolean;
}

export function chatListener(page: PageAccess & Ids & Descriptions & NodeChannel): ChatListener {
  const batchMax = 200;
  /** In characters, like all lengths here. */
  const batchLengthMax = 500_000;
  /** Bounds of the events that wait while Node takes none. Beyond them the oldest are dropped. */
  const waitingMax = 20_000;
  const waitingLengthMax = 16_000_000;
  const deliveryRetryMs = 500;
  const resendMs = 5_000;

  const waiting: PageEvent[] = [];
  let length = 0;
  let dropped = 0;
  /** The dropped events that were not reported to Node yet. */
  let unreportedDrops = 0;
  let isPumping = false;
  let isAttached = false;
  let ignored: Ignore = { stories: true, channels: true, groups: false };
  /** Messages that this device could not decrypt, until the phone is asked to resend them. */
  const unreadable = new Set<Foreign>();

  function lengthOf(event: PageEvent): number {
    return event.type === 'message' ? event.message.body.length + 500 : 200;
  }

  function add(event: PageEvent): void {
    waiting.push(event);
    length += lengthOf(event);
    while (waiting.length > waitingMax || length > waitingLengthMax) {
      const oldest = waiting.shift();
      if (oldest === undefined) break;
      length -= lengthOf(oldest);
      dropped++;
      unreportedDrops++;
    }
    if (!isPumping) void pump();
  }

  /** Sends one batch at a time. Events that Node has not taken wait here. */
  async function pump(): Promise<void> {
    isPumping = true;
    // Messages that the page adds in one turn go into one batch.
    await new Promise((done) => setTimeout(done, 0));
    while (waiting.length > 0) {
      const batch = nextBatch();
      const [droppedBefore, reportedDrops] = [dropped, unreportedDrops];
      try {
        await page.deliver({ type: 'events', events: batch, dropped: reportedDrops });
        unreportedDrops -= reportedDrops;
        // Events of this batch may have been dropped during the delivery.
        const taken = Math.max(0, batch.length - (dropped - droppedBefore));
        for (const event of waiting.splice(0, taken)) length -= lengthOf(event);
      } catch {
        await new Promise((done) => setTimeout(done, deliveryRetryMs));
      }
    }
    isPumping = false;
  }

  function nextBatch(): PageEvent[] {
    const batch: PageEvent[] = [];
    let size = 0;
    for (const event of waiting) {
      size += lengthOf(event);
      if (batch.length === batchMax || (size > batchLengthMax && batch.length > 0)) break;
      batch.push(event);
    }
    return batch;
  }

  function isIgnored(chatId: string | null): boolean {
    if (chatId === 'status@broadcast') return ignored.stories;
    if (chatId?.endsWith('@newsletter') === true) return ignored.channels;
    return page.isBroadcastId(chatId) || (ignored.groups && page.isGroupId(chatId));
  }

  function addMessage(message: Foreign): void {
    if (page.attempt(() => message.id.fromMe) === true || page.isNotification(message)) return;
    // A description takes far longer than this look.
    if (isIgnored(page.widText(page.attempt(() => message.id.remote)))) return;
    const described = page.describeMessage(message);
    if (described.type === 'gp2' || isIgnored(described.chatId)) return;
    add({ type: 'message', message: described });
  }

  function onAdd(message: Foreign): void {
    if (page.attempt(() => message.isNewMsg) !== true) return;
    if (page.attempt(() => message.type) !== 'ciphertext') return addMessage(message);
    // Not decrypted yet.
    message.once('change:type', () => {
      unreadable.delete(message);
      if (page.attempt(() => message.type) !== 'revoked') addMessage(message);
    });
    const subtype = page.attempt(() => message.subtype);
    if (typeof subtype === 'string' && subtype.endsWith('_unavailable_fanout')) return;
    unreadable.add(message);
    if (unreadable.size === 1) setTimeout(requestResend, resendMs);
  }

  /** Asks the phone to send again the messages that this device could not decrypt. */
  function requestResend(): void {
    const messages = [...unreadable];
    unreadable.clear();
    if (messages.length === 0) return;
    page.attempt(() =>
      page
        .member('WAWebNonMessageDataRequestPlaceholderMessageResendUtils')
        .handlePlaceholderMsgsSeen(messages, true),
    );
  }

  function onAck(message: Foreign, ack: Foreign): void {
    const id = page.keyText(page.attempt(() => message.id));
    const chatId = page.widText(page.attempt(() => message.id.remote));
    if (id === null || typeof ack !== 'number' || page.isBroadcastId(chatId)) return;
    add({ type: 'ack', id, chatId: chatId ?? '', ack, t: page.timeOf(message) });
  }

  /** Our listeners must not throw: otherwise the page's own listeners would not get the event. */
  function safely(listener: (...args: Foreign[]) => void): (...args: Foreign[]) => void {
    return (...args) => void page.attempt(() => listener(...args));
  }

  return {
    listen({ ignore }) {
      ignored = ignore;
      if (isAttached) return;
      const { Msg } = page.member('WAWebCollections');
      Msg.on('add', safely(onAdd));
      Msg.on('change:ack', safely(onAck));
      isAttached = true;
      page.attempt(() =>
        page
          .member('WAWebSocketModel.Socket')
          .on(
            'change:state',
            (_: Foreign, state: Foreign) =>
              void page.notifyNode({ type: 'socket-state', state: String(state) }),
          ),
      );
    },
    isListening: () => isAttached,
  };
}
