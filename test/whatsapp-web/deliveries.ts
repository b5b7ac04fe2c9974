import type { Ack, ChatRecord, MessageRecord, Outgoing } from './chat-records.js';
import { inWords } from './mailbox.js';
import type { PageConnection } from './page-connection.js';
import { note, type World } from './world.js';

/** What goes between the account's mailbox and the pages that are logged in. */

export function sendHistory({ mailbox }: World, page: PageConnection): void {
  const chats = mailbox.chats().map(({ lastMessage: _, timestamp: __, ...chat }) => ({
    chat,
    messages: mailbox.messages(chat.id),
  }));
  page.tell({ type: 'history', chats });
}

/** Tells every page that has its history; the others find the message there. */
export function announceMessage(world: World, message: MessageRecord, except?: PageConnection): void {
  const chat = world.mailbox.chat(message.chatId);
  if (!chat) return;
  for (const page of informed(world)) if (page !== except) page.tell({ type: 'message', chat, message });
}

export function announceChat(world: World, chat: ChatRecord): void {
  for (const page of informed(world)) page.tell({ type: 'chat', chat });
}

export function acknowledge(world: World, id: string, ack: Ack): void {
  const message = world.mailbox.raiseAck(id, ack);
  for (const page of informed(world)) page.tell({ type: 'ack', id, ack: message.ack });
}

/** A message from a page reaches the server, or a fault keeps it from there. */
export function takeMessage(world: World, page: PageConnection, outgoing: Outgoing): void {
  const { faults, mailbox, timing } = world;
  if (faults.dropBeforeServer) {
    note(world, 'A message was lost on its way to the server; the page keeps it.');
    return;
  }
  if (page.reached('pending')) return;
  if (faults.ackError) {
    note(world, `The server refused a message to ${inWords(outgoing.chatId)}.`);
    const id = ownId(world, outgoing);
    world.timers.later(timing.serverAckMs, () => page.tell({ type: 'ack', id, ack: -1 }));
    return;
  }
  const message = mailbox.take(outgoing);
  const { times = 1 } = mailbox.received().find(({ id }) => id === message.id) ?? {};
  note(
    world,
    times === 1
      ? `The server took a message to ${inWords(message.chatId)}.`
      : 'The server took it once more.',
  );
  if (times === 1) announceMessage(world, message, page);
  if (page.reached('at-server') || faults.ackStalls) return;
  world.timers.later(timing.serverAckMs, () => {
    acknowledge(world, message.id, 1);
    goOn(world, message.id, 2);
  });
}

/** Delivered, and then read. */
function goOn(world: World, id: string, ack: 2 | 3): void {
  const delayMs = ack === 2 ? world.timing.deliveredMs : world.timing.readMs;
  if (delayMs === null) return;
  world.timers.later(delayMs, () => {
    acknowledge(world, id, ack);
    if (ack === 2) goOn(world, id, 3);
  });
}

function informed({ connections }: World): PageConnection[] {
  return [...connections].filter(({ state, hasHistory }) => state === 'CONNECTED' && hasHistory);
}

function ownId({ account }: World, { chatId, key }: Outgoing): string {
  return ['true', chatId, key, ...(chatId.endsWith('@g.us') ? [account.wid] : [])].join('_');
}
