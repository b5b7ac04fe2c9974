import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { eventually } from '../../support/eventually.js';
import { JUNE, startWhatsAppWeb, type WhatsAppWeb } from '../../whatsapp-web/index.js';
import {
  type LibraryClient,
  makeProfile,
  openBeforeSync,
  removeProfile,
  startLibrary,
} from '../../whatsapp-web/library-client.js';

/** Faults between the call into the page and the ack of a message, as whatsapp-web.js sees them. */

const CHAT = '15551000001@c.us';

let whatsAppWeb: WhatsAppWeb;
let profile: string;
let library: LibraryClient;

beforeEach(async () => {
  whatsAppWeb = await startWhatsAppWeb({
    page: JUNE,
    timing: { openingMs: 20, restartMs: 20, offlineMs: 20, syncMs: 200, deliveredMs: null },
  });
  profile = await makeProfile();
  library = startLibrary(whatsAppWeb, profile);
  await library.initialized;
  await whatsAppWeb.phone.scanCurrent();
  await library.next('ready');
});

afterEach(async () => {
  const { unknownModules } = await whatsAppWeb.phone.state();
  await library.closeBrowser();
  await whatsAppWeb.close();
  await removeProfile(profile);
  assert.deepEqual(unknownModules, []);
});

const send = (body: string) => library.client.sendMessage(CHAT, body);

const timesReceived = async (body: string) =>
  (await whatsAppWeb.phone.received()).filter((one) => one.body === body).map(({ times }) => times);

const acksOf = (body: string) =>
  library.events.filter(([name, text]) => name === 'message_ack' && text === body).map(([, , ack]) => ack);

async function bodiesInPage(): Promise<string[]> {
  const chat = await library.client.getChatById(CHAT);
  return (await chat.fetchMessages({ limit: 100 })).map(({ body, ack }) => `${body} ${ack}`);
}

test('a call that stalls or rejects sends nothing, unless the fault says so', async () => {
  const { faults, phone } = whatsAppWeb;
  let isAnySettled = false;
  const neverSettles = (call: Promise<unknown>) => {
    const settled = () => {
      isAnySettled = true;
    };
    call.then(settled, settled);
  };
  await faults.set({ sendStalls: 'unsent' });
  neverSettles(send('stalls'));
  await eventually(async () => (await phone.state()).sendsBegun === 1);

  await faults.set({ sendStalls: 'sent' });
  neverSettles(send('stalls but goes'));
  await eventually(() => acksOf('stalls but goes').length === 1);

  await faults.set({ sendStalls: false, sendRejects: true });
  await assert.rejects(send('rejects'), /could not be sent/);
  await faults.clear();
  await send('goes');
  await eventually(() => acksOf('goes').length === 1);

  assert.equal(isAnySettled, false);
  assert.deepEqual(await bodiesInPage(), ['stalls but goes 1', 'goes 1']);
  const received = await phone.received();
  assert.deepEqual(
    received.map(({ body, times }) => `${body} ${times}`),
    ['stalls but goes 1', 'goes 1'],
  );
});

test('a message that the server refuses has the ack -1', async () => {
  await whatsAppWeb.faults.set({ ackError: true });
  assert.equal((await send('refused')).ack, 0);
  await eventually(() => acksOf('refused').includes('-1'));
  assert.deepEqual(await timesReceived('refused'), []);
});

test('with a stalled ack the page sends again, and the server keeps one message', async () => {
  await whatsAppWeb.faults.set({ ackStalls: true });
  const { id } = await send('never acknowledged');
  await eventually(async () => (await timesReceived('never acknowledged'))[0] === 1);
  assert.deepEqual(await bodiesInPage(), ['never acknowledged 0']);

  await whatsAppWeb.faults.clear();
  await whatsAppWeb.faults.cutNow();
  await eventually(() => acksOf('never acknowledged').length === 1);
  assert.deepEqual(await timesReceived('never acknowledged'), [2]);
  const messages = await whatsAppWeb.phone.messages(CHAT);
  assert.deepEqual(
    messages.map((message) => message.id),
    [id._serialized],
  );
});

test('without a network the page says CONNECTED and keeps a message pending, and both sides catch up later', async () => {
  const { faults, phone } = whatsAppWeb;
  await phone.setChat(CHAT);
  await eventually(async () => (await library.client.getChats()).length === 1);
  await faults.set({ server: 'reset' });
  await eventually(async () => (await phone.state()).pagesNow === 0);
  assert.equal((await send('offline')).ack, 0);
  assert.equal(await library.client.getState(), 'CONNECTED');
  await phone.receive({ from: '15551000002', body: 'missed' });
  assert.deepEqual(await timesReceived('offline'), []);

  await faults.clear();
  await eventually(() => acksOf('offline').length === 1);
  assert.deepEqual(await timesReceived('offline'), [1]);
  await eventually(() => library.events.some(([name, body]) => name === 'message' && body === 'missed'));
  assert.equal((await phone.state()).pagesEver, 1);
});

test('a message that a killed browser had not sent is sent by the next one, once and with its id', async () => {
  const { faults, phone } = whatsAppWeb;
  const restart = async () => {
    library = await openBeforeSync(whatsAppWeb, () => startLibrary(whatsAppWeb, profile));
    await library.next('ready');
  };
  // The login reaches the disk only some seconds later.
  await library.closeBrowser();
  await restart();

  await faults.set({ dropBeforeServer: true });
  const { id, ack } = await send('kept in the page');
  assert.equal(ack, 0);
  library.client.pupBrowser?.process()?.kill('SIGKILL');
  await library.closeBrowser();
  assert.deepEqual(await timesReceived('kept in the page'), []);

  await faults.clear();
  await restart();
  await eventually(async () => (await timesReceived('kept in the page'))[0] === 1);
  const [message, ...others] = await phone.messages(CHAT);
  assert.deepEqual([message?.id, others], [id._serialized, []]);
  await eventually(async () => (await bodiesInPage()).join() === 'kept in the page 1');
});

test('a page that reloads during a send has sent nothing, sends afterwards or has sent, by the step of the reload', async () => {
  const { faults, phone } = whatsAppWeb;
  const sendInto = async (step: 'before-send' | 'pending' | 'at-server') => {
    const readies = library.events.filter(([name]) => name === 'ready').length;
    await openBeforeSync(whatsAppWeb, async () => {
      await faults.set({ reloadAt: { step } });
      // The reload decides whether the call is answered or rejected.
      await send(step).catch(() => {});
      return library;
    });
    await library.next('ready', readies);
  };

  await sendInto('before-send');
  await sendInto('pending');
  await eventually(async () => (await timesReceived('pending'))[0] === 1);
  await sendInto('at-server');
  await eventually(async () => (await timesReceived('at-server'))[0] === 2);

  assert.deepEqual(await timesReceived('before-send'), []);
  assert.deepEqual(
    (await phone.messages(CHAT)).map(({ body }) => body),
    ['pending', 'at-server'],
  );
  await eventually(async () => (await bodiesInPage()).join() === 'pending 1,at-server 1');
});
