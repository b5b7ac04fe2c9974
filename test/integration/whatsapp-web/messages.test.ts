import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import type { Message } from 'whatsapp-web.js';
import { eventually } from '../../support/eventually.js';
import { JUNE, startWhatsAppWeb, type WhatsAppWeb } from '../../whatsapp-web/index.js';
import {
  type LibraryClient,
  makeProfile,
  openBeforeSync,
  removeProfile,
  startLibrary,
} from '../../whatsapp-web/library-client.js';

/**
 * Chats and messages as unmodified whatsapp-web.js reads and sends them. One client, logged in once; each test has its own
 * numbers.
 */

const ME = '15550001111@c.us';
const GROUP = '120363000000000001@g.us';

let whatsAppWeb: WhatsAppWeb;
let profile: string;
let library: LibraryClient;

before(async () => {
  whatsAppWeb = await startWhatsAppWeb({
    page: JUNE,
    timing: { openingMs: 20, restartMs: 20, offlineMs: 20, syncMs: 200, deliveredMs: 50, readMs: 50 },
  });
  profile = await makeProfile();
  library = startLibrary(whatsAppWeb, profile);
  await library.initialized;
  await whatsAppWeb.phone.scanCurrent();
  await library.next('ready');
});

afterEach(async () => {
  await whatsAppWeb.faults.clear();
  assert.deepEqual((await whatsAppWeb.phone.state()).unknownModules, []);
});

after(async () => {
  await library.closeBrowser();
  await whatsAppWeb.close();
  await removeProfile(profile);
});

const eventsOf = (name: string, text: string) =>
  library.events.filter(([known, argument]) => known === name && argument === text);

const receivedAs = async (body: string) =>
  (await whatsAppWeb.phone.received()).filter((message) => message.body === body);

async function messagesOf(chatId: string, limit: number): Promise<Message[]> {
  const chat = await library.client.getChatById(chatId);
  return chat.fetchMessages({ limit });
}

test('a sent message is pending, then at the server, delivered and read, and is sent once', async () => {
  await whatsAppWeb.phone.setChat('15551000001', { name: 'Ada' });
  const body = 'Good morning,\nДобрый день 👋';
  const sent = await library.client.sendMessage('15551000001@c.us', body);

  assert.deepEqual(
    [sent.ack, sent.body, sent.fromMe, sent.from, sent.to],
    [0, body, true, ME, '15551000001@c.us'],
  );
  await eventually(() => eventsOf('message_ack', body).length === 3);
  assert.deepEqual(
    eventsOf('message_ack', body).map(([, , ack]) => ack),
    ['1', '2', '3'],
  );
  assert.equal(eventsOf('message_create', body).length, 1);
  assert.equal(eventsOf('message', body).length, 0, 'message is for incoming ones');

  const [received, ...others] = await receivedAs(body);
  assert.deepEqual(
    [received?.id, received?.to, received?.times],
    [sent.id._serialized, '15551000001@c.us', 1],
  );
  assert.deepEqual(others, []);
  const [shown] = await messagesOf('15551000001@c.us', 1);
  assert.deepEqual([shown?.id._serialized, shown?.ack, shown?.body], [sent.id._serialized, 3, body]);
});

test('a message to a number without a chat is sent if the number is on WhatsApp, and rejected if not', async () => {
  const sent = await library.client.sendMessage('15551000002@c.us', 'the first message');
  await eventually(async () => (await receivedAs('the first message'))[0]?.id === sent.id._serialized);
  const chats = await whatsAppWeb.phone.chats();
  assert.ok(chats.some(({ id }) => id === '15551000002@c.us'));

  await whatsAppWeb.directory.remove('+1 555 100 0003');
  await assert.rejects(library.client.sendMessage('15551000003@c.us', 'to nobody'), /No LID for user/);
  assert.deepEqual(await receivedAs('to nobody'), []);
});

test('getNumberId() returns the id of a number, and null for one that is not on WhatsApp', async () => {
  await whatsAppWeb.directory.remove('15551000004');
  await whatsAppWeb.directory.add('5511987654321', '551187654321');

  const idOf = async (number: string) => (await library.client.getNumberId(number))?._serialized ?? null;
  assert.equal(await idOf('15551000005'), '15551000005@c.us');
  assert.equal(await idOf('15551000004'), null);
  assert.equal(await idOf('5511987654321'), '551187654321@c.us');
  assert.deepEqual(
    [
      await library.client.isRegisteredUser('15551000005@c.us'),
      await library.client.isRegisteredUser('15551000004@c.us'),
    ],
    [true, false],
  );
});

test('an incoming message is an event, is in its chat and is unread until it is seen', async () => {
  const { phone } = whatsAppWeb;
  const incoming = once('message', 'Ist da jemand? 🇩🇪');
  const { id } = await phone.receive({ from: '+1 (555) 100-0006', body: 'Ist da jemand? 🇩🇪', name: 'Björn' });
  const message = await incoming;
  assert.deepEqual(
    [message.id._serialized, message.from, message.to, message.fromMe, message.type, message.hasMedia],
    [id, '15551000006@c.us', ME, false, 'chat', false],
  );
  await eventually(() => eventsOf('unread_count', '1').length > 0);
  const chat = await library.client.getChatById('15551000006@c.us');
  assert.deepEqual([chat.name, chat.unreadCount, chat.lastMessage?.body], ['Björn', 1, 'Ist da jemand? 🇩🇪']);

  await chat.sendSeen();
  await eventually(async () => (await phone.chats()).find(({ name }) => name === 'Björn')?.unreadCount === 0);
  await phone.receive({ from: '15551000006', body: 'and again' });
  await phone.markRead('15551000006');
  await eventually(async () => (await library.client.getChatById('15551000006@c.us')).unreadCount === 0);
});

test('a message that the owner sends on the phone is a message_create event and no message event', async () => {
  await whatsAppWeb.phone.send({ to: '15551000007', body: 'typed on the phone' });
  await eventually(() => eventsOf('message_create', 'typed on the phone').length === 1);
  assert.equal(eventsOf('message', 'typed on the phone').length, 0);
  assert.deepEqual(await receivedAs('typed on the phone'), [], 'no page sent it');
});

test('messages in a group have their author, and media messages say so', async () => {
  await whatsAppWeb.phone.setChat(GROUP, { name: 'Team', participants: ['15551000008'] });
  const incoming = once('message', 'a photo');
  await whatsAppWeb.phone.receive({ chat: GROUP, from: '15551000008', body: 'a photo', hasMedia: true });
  const photo = await incoming;
  assert.deepEqual(
    [photo.from, photo.author, photo.hasMedia, photo.type, photo.id.remote],
    [GROUP, '15551000008@c.us', true, 'image', GROUP],
  );

  const sent = await library.client.sendMessage(GROUP, 'to all');
  assert.equal(sent.id._serialized, `true_${GROUP}_${sent.id.id}_${ME}`);
  await eventually(async () => (await receivedAs('to all'))[0]?.id === sent.id._serialized);
  await eventually(() => eventsOf('message_ack', 'to all').length === 3);
});

test('a slow list of chats does not delay a send', async () => {
  const { faults, phone } = whatsAppWeb;
  await faults.set({ slowChatsMs: 600_000 });
  let haveChatsCome = false;
  const chats = library.client.getChats().then((all) => {
    haveChatsCome = true;
    return all;
  });
  await library.client.sendMessage('15551000009@c.us', 'meanwhile');
  await eventually(async () => (await receivedAs('meanwhile')).length === 1);
  assert.equal(haveChatsCome, false);
  // The page stops waiting when its server is gone.
  await faults.cutNow();
  assert.ok((await chats).length > 0);
  await eventually(async () => (await phone.state()).connections.some(({ isSynced }) => isSynced));
});

test('messages between CONNECTED and hasSynced are in the chat without an event', async () => {
  const { phone, faults } = whatsAppWeb;
  const readies = library.events.filter(([name]) => name === 'ready').length;
  await openBeforeSync(whatsAppWeb, async () => {
    await faults.reloadNow();
    await eventually(async () => {
      const { connections, pagesEver } = await phone.state();
      return pagesEver === 2 && connections.some(({ state, isSynced }) => state === 'CONNECTED' && !isSynced);
    });
    await phone.receive({ from: '15551000010', body: 'too early' });
    return library;
  });

  await library.next('ready', readies);
  await phone.receive({ from: '15551000010', body: 'in time' });
  await eventually(() => eventsOf('message', 'in time').length === 1);
  assert.equal(eventsOf('message', 'too early').length, 0);
  const chat = await library.client.getChatById('15551000010@c.us');
  assert.equal(chat.unreadCount, 2);
  const bodies = (await chat.fetchMessages({ limit: 10 })).map(({ body }) => body);
  assert.deepEqual(bodies, ['too early', 'in time']);
});

test('a new page has the messages and chats of older pages, with all their attributes', async () => {
  const { phone, faults } = whatsAppWeb;
  const at = 1_700_000_000;
  await phone.setChat('15551000011', { name: 'Archived', isArchived: true, isMuted: true });
  await phone.receive({ from: '15551000011', body: 'old', timestamp: at });
  await phone.setChat('120363000000000002@g.us', { name: 'News', isReadOnly: true, isPinned: true });
  for (let nth = 1; nth <= 45; nth += 1) {
    const timestamp = at + Math.floor(nth / 3);
    await phone.receive({ from: '15551000012', name: 'Chatty', body: `message ${nth}`, timestamp });
  }
  const readies = library.events.filter(([name]) => name === 'ready').length;
  await openBeforeSync(whatsAppWeb, async () => {
    await faults.reloadNow();
    return library;
  });
  await library.next('ready', readies);

  const chats = await library.client.getChats();
  const about = (name: string) => {
    const chat = chats.find((one) => one.name === name);
    if (!chat) throw new Error(`no chat ${name}`);
    const { isGroup, isReadOnly, archived, pinned, isMuted, unreadCount, timestamp } = chat;
    return { isGroup, isReadOnly, archived, pinned, isMuted, unreadCount, timestamp };
  };
  const plain = { isGroup: false, isReadOnly: false, archived: false, pinned: false, isMuted: false };
  assert.deepEqual(about('Archived'), {
    ...plain,
    archived: true,
    isMuted: true,
    unreadCount: 1,
    timestamp: at,
  });
  assert.deepEqual(about('Chatty'), { ...plain, unreadCount: 45, timestamp: at + 15 });
  const news = { isGroup: true, isReadOnly: true, pinned: true, unreadCount: 0, timestamp: undefined };
  assert.deepEqual(about('News'), { ...plain, ...news });
  const chatty = chats.find(({ name }) => name === 'Chatty');
  assert.equal(chatty?.lastMessage.body, 'message 45');

  const numbers = (messages: Message[] = []) => messages.map(({ body }) => Number(body.split(' ')[1]));
  const upTo45 = Array.from({ length: 45 }, (_, index) => index + 1);
  const loaded = await chatty?.fetchMessages({ limit: Number.POSITIVE_INFINITY });
  assert.deepEqual(numbers(loaded), [45], 'without a finite limit nothing is loaded');
  assert.deepEqual(numbers(await messagesOf('15551000012@c.us', 100)), upTo45);
  assert.equal((await messagesOf('15551000012@c.us', 10)).length, 10);
});

/** The next event of this name with this text, as the library emits it. */
function once(name: 'message', body: string): Promise<Message> {
  return new Promise((resolve) => {
    const listener = (message: Message) => {
      if (message.body !== body) return;
      library.client.off(name, listener);
      resolve(message);
    };
    library.client.on(name, listener);
  });
}
