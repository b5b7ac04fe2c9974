import type { Ack, ChatRecord, MessageRecord, Outgoing } from './chat-records.js';
import { inWords } from './ids.js';
import type { PageConnection } from './page-connection.js';
import type { ToPage } from './protocol.js';
import { note, type UnusualChat, type UnusualMessage, type World } from './world.js';

/** Sends chats, messages and acks from the account's mailbox to logged-in pages, and takes messages from pages. */

export function sendHistory(world: World, page: PageConnection): void {
  const { chats, contacts } = filledWith(world, page, world.mailbox.chats());
  page.send({ type: 'history', chats, contacts: [...contacts, ...world.people.askedFor()] });
  for (const unusual of world.unusualChats) page.send(unusualChatFor(page, unusual));
  for (const unusual of world.unusualMessages) page.send(unusualMessageFor(world, page, unusual, false));
}

/** Sends chats made in bulk. Pages treat them as chats that they always had. */
export function announceFilled(world: World, chats: readonly ChatRecord[]): void {
  for (const page of pagesWithHistory(world))
    page.send({ type: 'filled', ...filledWith(world, page, chats) });
}

/** Sends messages, in one piece, to every page that has its history. The other pages get them with their history. */
export function announceMessages(
  world: World,
  messages: readonly MessageRecord[],
  except?: PageConnection,
): void {
  const { mailbox, people } = world;
  const chats = [...new Set(messages.map(({ chatId }) => chatId))].flatMap((id) => mailbox.chat(id) ?? []);
  for (const page of pagesWithHistory(world)) {
    if (page === except) continue;
    page.send({
      type: 'messages',
      chats: chats.map(page.view.chat),
      messages: messages.map(page.view.message),
      contacts: people.contactsOf(chats, messages),
    });
  }
}

export function announceChat(world: World, chat: ChatRecord): void {
  const contacts = world.people.contactsOf([chat], []);
  for (const page of pagesWithHistory(world))
    page.send({ type: 'chat', chat: page.view.chat(chat), contacts });
}

/** Marks the chat as read: a page has shown it to the owner. */
export function markSeen(world: World, chatId: string): void {
  const { mailbox, people } = world;
  if (mailbox.chat(people.known(chatId))) announceChat(world, mailbox.markRead(chatId));
}

export function announceUnusualMessage(world: World, unusual: UnusualMessage): void {
  for (const page of pagesWithHistory(world)) page.send(unusualMessageFor(world, page, unusual, true));
}

export function announceUnusualChat(world: World, unusual: UnusualChat): void {
  for (const page of pagesWithHistory(world)) page.send(unusualChatFor(page, unusual));
}

export function acknowledge(world: World, id: string, ack: Ack): void {
  const message = world.mailbox.raiseAck(id, ack);
  for (const page of pagesWithHistory(world))
    page.send({ type: 'ack', id: page.view.messageId(id), ack: message.ack });
}

/** Takes a message from a page, unless a fault loses or refuses it. */
export function takeMessage(world: World, page: PageConnection, outgoing: Outgoing): void {
  const { faults, mailbox, timing } = world;
  if (faults.dropBeforeServer) {
    note(world, 'A message was lost on its way to the server; the page keeps it.');
    return;
  }
  if (page.reached('pending')) return;
  if (faults.ackError) {
    note(world, `The server refused a message to ${inWords(world.people.known(outgoing.chatId))}.`);
    const id = page.view.messageId(mailbox.ownId(outgoing.chatId, outgoing.key));
    world.timers.later(timing.serverAckMs, () => page.send({ type: 'ack', id, ack: -1 }));
    return;
  }
  const message = mailbox.take(outgoing);
  const isFirst = mailbox.timesReceived(message.id) === 1;
  note(
    world,
    isFirst ? `The server took a message to ${inWords(message.chatId)}.` : 'The server took it again.',
  );
  if (isFirst) announceMessages(world, [message], page);
  if (page.reached('at-server') || faults.ackStalls) return;
  world.timers.later(timing.serverAckMs, () => {
    acknowledge(world, message.id, 1);
    scheduleAck(world, message.id, 2);
  });
}

/** Schedules ack 2 (delivered), and after it ack 3 (read). */
function scheduleAck(world: World, id: string, ack: 2 | 3): void {
  const delayMs = ack === 2 ? world.timing.deliveredMs : world.timing.readMs;
  if (delayMs === null) return;
  world.timers.later(delayMs, () => {
    acknowledge(world, id, ack);
    if (ack === 2) scheduleAck(world, id, 3);
  });
}

function pagesWithHistory({ connections }: World): PageConnection[] {
  return [...connections].filter(({ state, hasHistory }) => state === 'CONNECTED' && hasHistory);
}

function filledWith({ mailbox, people }: World, { view }: PageConnection, chats: readonly ChatRecord[]) {
  const filled = chats.map((chat) => ({ chat, messages: mailbox.messages(chat.id) }));
  return {
    chats: filled.map(({ chat, messages }) => ({
      chat: view.chat(chat),
      messages: messages.map(view.message),
    })),
    contacts: people.contactsOf(
      chats,
      filled.flatMap(({ messages }) => messages),
    ),
  };
}

function unusualMessageFor(
  { mailbox }: World,
  { view }: PageConnection,
  { message, attributes, without }: UnusualMessage,
  isNew: boolean,
): ToPage {
  const chat = mailbox.chat(message.chatId) ?? mailbox.setChat(message.chatId);
  const shown = { chat: view.chat(chat), message: view.message(message) };
  return { type: 'unusual-message', ...shown, attributes, without, isNew };
}

function unusualChatFor({ view }: PageConnection, { chat, attributes, without }: UnusualChat): ToPage {
  return { type: 'unusual-chat', chat: view.chat(chat), attributes, without };
}
