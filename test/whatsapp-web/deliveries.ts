import type { Ack, ChatRecord, MessageRecord, Outgoing } from './chat-records.js';
import { inWords } from './ids.js';
import type { PageConnection } from './page-connection.js';
import type { ToPage } from './protocol.js';
import { note, type OddChat, type OddMessage, type World } from './world.js';

/** What goes between the account's mailbox and the pages that are logged in. */

export function sendHistory(world: World, page: PageConnection): void {
  const { chats, contacts } = filledWith(world, page, world.mailbox.chats());
  page.tell({ type: 'history', chats, contacts: [...contacts, ...world.people.askedFor()] });
  for (const odd of world.oddChats) page.tell(oddChatFor(page, odd));
  for (const odd of world.oddMessages) page.tell(oddMessageFor(world, page, odd, false));
}

/** Chats made in bulk: pages have them as if they had always been there. */
export function announceFilled(world: World, chats: readonly ChatRecord[]): void {
  for (const page of informed(world)) page.tell({ type: 'filled', ...filledWith(world, page, chats) });
}

/** Tells every page that has its history; the others find the messages there. All go in one piece. */
export function announceMessages(
  world: World,
  messages: readonly MessageRecord[],
  except?: PageConnection,
): void {
  const { mailbox, people } = world;
  const chats = [...new Set(messages.map(({ chatId }) => chatId))].flatMap((id) => mailbox.chat(id) ?? []);
  for (const page of informed(world)) {
    if (page === except) continue;
    page.tell({
      type: 'messages',
      chats: chats.map(page.view.chat),
      messages: messages.map(page.view.message),
      contacts: people.contactsOf(chats, messages),
    });
  }
}

export function announceChat(world: World, chat: ChatRecord): void {
  const contacts = world.people.contactsOf([chat], []);
  for (const page of informed(world)) page.tell({ type: 'chat', chat: page.view.chat(chat), contacts });
}

/** A page has shown the chat to the owner. */
export function markSeen(world: World, chatId: string): void {
  const { mailbox, people } = world;
  if (mailbox.chat(people.known(chatId))) announceChat(world, mailbox.markRead(chatId));
}

export function announceOddMessage(world: World, odd: OddMessage): void {
  for (const page of informed(world)) page.tell(oddMessageFor(world, page, odd, true));
}

export function announceOddChat(world: World, odd: OddChat): void {
  for (const page of informed(world)) page.tell(oddChatFor(page, odd));
}

export function acknowledge(world: World, id: string, ack: Ack): void {
  const message = world.mailbox.raiseAck(id, ack);
  for (const page of informed(world))
    page.tell({ type: 'ack', id: page.view.messageId(id), ack: message.ack });
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
    note(world, `The server refused a message to ${inWords(world.people.known(outgoing.chatId))}.`);
    const id = page.view.messageId(mailbox.ownId(outgoing.chatId, outgoing.key));
    world.timers.later(timing.serverAckMs, () => page.tell({ type: 'ack', id, ack: -1 }));
    return;
  }
  const message = mailbox.take(outgoing);
  const isFirst = mailbox.timesReceived(message.id) === 1;
  note(
    world,
    isFirst ? `The server took a message to ${inWords(message.chatId)}.` : 'The server took it once more.',
  );
  if (isFirst) announceMessages(world, [message], page);
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

function oddMessageFor(
  { mailbox }: World,
  { view }: PageConnection,
  { message, attributes, without }: OddMessage,
  isNew: boolean,
): ToPage {
  const chat = mailbox.chat(message.chatId) ?? mailbox.setChat(message.chatId);
  const shown = { chat: view.chat(chat), message: view.message(message) };
  return { type: 'odd-message', ...shown, attributes, without, isNew };
}

function oddChatFor({ view }: PageConnection, { chat, attributes, without }: OddChat): ToPage {
  return { type: 'odd-chat', chat: view.chat(chat), attributes, without };
}
