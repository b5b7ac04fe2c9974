import type { Foreign, PageAgent } from './agent.js';
import type { PageMessage } from './models.js';

/** What happens in the chats, in order. */
export type ChatEvent =
  | { readonly type: 'message'; readonly message: PageMessage }
  | {
      readonly type: 'ack';
      readonly id: string;
      readonly chatId: string;
      readonly ack: number;
      readonly t: number | null;
    };

/** What the page says to Node, by one function that Node exposes. */
export type FromPage =
  /** Settles when Node has room for more. `dropped`: how many before them were too many to keep. */
  | { readonly type: 'events'; readonly events: readonly ChatEvent[]; readonly dropped: number }
  | { readonly type: 'socket-state'; readonly state: string }
  | { readonly type: 'unlinked'; readonly isTold: boolean };

export interface Events {
  /** Listens to messages, acknowledgements and the state of the connection: to nothing else; once for each page. */
  listen(): void;
  isListening(): boolean;
  tell(message: FromPage): Promise<unknown>;
}

export function events(page: PageAgent): Events {
  const batchMax = 200;
  const batchLength = 500_000;
  /** What waits for Node while that cannot take it: in number, and in characters of text. */
  const waitingMax = 20_000;
  const waitingLength = 16_000_000;
  const retryMs = 500;
  const resendMs = 5_000;

  const waiting: ChatEvent[] = [];
  let length = 0;
  let dropped = 0;
  let droppedUntold = 0;
  let isPumping = false;
  let isAttached = false;
  const unreadable = new Set<Foreign>();

  function tell(message: FromPage): Promise<unknown> {
    return page.atMost(60_000, () => page.window.holdlineTell(message));
  }

  function lengthOf(event: ChatEvent): number {
    return event.type === 'message' ? event.message.body.length + 500 : 200;
  }

  function add(event: ChatEvent): void {
    waiting.push(event);
    length += lengthOf(event);
    while (waiting.length > waitingMax || length > waitingLength) {
      const oldest = waiting.shift();
      if (oldest === undefined) break;
      length -= lengthOf(oldest);
      dropped++;
      droppedUntold++;
    }
    if (!isPumping) void pump();
  }

  /** One batch at a time: what Node has not taken waits here, where the page has it anyway. */
  async function pump(): Promise<void> {
    isPumping = true;
    // What the page adds in one go is told in one go.
    await new Promise((done) => setTimeout(done, 0));
    while (waiting.length > 0) {
      const batch = nextBatch();
      const [droppedBefore, lost] = [dropped, droppedUntold];
      try {
        await page.window.holdlineTell({ type: 'events', events: batch, dropped: lost });
        droppedUntold -= lost;
        // Meanwhile the oldest may have been dropped.
        const taken = Math.max(0, batch.length - (dropped - droppedBefore));
        for (const event of waiting.splice(0, taken)) length -= lengthOf(event);
      } catch {
        await new Promise((done) => setTimeout(done, retryMs));
      }
    }
    isPumping = false;
  }

  function nextBatch(): ChatEvent[] {
    const batch: ChatEvent[] = [];
    let size = 0;
    for (const event of waiting) {
      size += lengthOf(event);
      if (batch.length === batchMax || (size > batchLength && batch.length > 0)) break;
      batch.push(event);
    }
    return batch;
  }

  function tellMessage(message: Foreign): void {
    if (page.attempt(() => message.id.fromMe) === true || page.isNotification(message)) return;
    const described = page.describeMessage(message);
    if (described.type === 'gp2' || page.isBroadcastId(described.chatId)) return;
    add({ type: 'message', message: described });
  }

  function onAdd(message: Foreign): void {
    if (page.attempt(() => message.isNewMsg) !== true) return;
    if (page.attempt(() => message.type) !== 'ciphertext') return tellMessage(message);
    // It cannot be read yet: it is told once it can.
    message.once('change:type', () => {
      unreadable.delete(message);
      if (page.attempt(() => message.type) !== 'revoked') tellMessage(message);
    });
    const subtype = page.attempt(() => message.subtype);
    if (typeof subtype === 'string' && subtype.endsWith('_unavailable_fanout')) return;
    unreadable.add(message);
    if (unreadable.size === 1) setTimeout(askAgain, resendMs);
  }

  /** Asks the phone to send again what this device could not read. */
  function askAgain(): void {
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

  /** A listener of ours never keeps the page's own from hearing. */
  function safely(listener: (...args: Foreign[]) => void): (...args: Foreign[]) => void {
    return (...args) => void page.attempt(() => listener(...args));
  }

  return {
    listen() {
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
            (_: Foreign, state: Foreign) => void tell({ type: 'socket-state', state: String(state) }),
          ),
      );
    },
    isListening: () => isAttached,
    tell,
  };
}
