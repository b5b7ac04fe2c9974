import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import type { Browser, Page } from 'puppeteer';
import { eventually } from '../../support/eventually.js';
import { lidOf, startWhatsAppWeb, type WhatsAppWeb } from '../../whatsapp-web/index.js';
import { inPage, load, logIn, openPage, startBrowser, untilSynced } from '../../whatsapp-web/raw-page.js';

/** Page behaviour of field reports in the stand-in: calls that throw or hang, malformed records, and large numbers of them. */

const ADA = '15551000001';
const ADA_LID = lidOf(ADA);
const GROUP = '120363000000000007@g.us';

let whatsAppWeb: WhatsAppWeb;
let browser: Browser;
let page: Page;

before(async () => {
  whatsAppWeb = await startWhatsAppWeb({
    timing: { openingMs: 20, restartMs: 20, offlineMs: 20, syncMs: 50, deliveredMs: null },
  });
  browser = await startBrowser(whatsAppWeb);
  page = await openPage(browser);
  await logIn(whatsAppWeb, page);
});

afterEach(() => whatsAppWeb.faults.clear());

after(async () => {
  await browser.close();
  await whatsAppWeb.close();
});

const ask = <T>(expression: string) => inPage<T>(page, expression);

const momentMs = 300;

/** How the call ends: 'comes', its error, or 'hangs' after `patienceMs`. */
const endOf = (call: string, patienceMs = 10_000) =>
  ask<string>(`Promise.race([
    ${call}.then(() => 'comes', (error) => error.message),
    new Promise((resolve) => setTimeout(resolve, ${patienceMs}, 'hangs')),
  ])`);

const chat = `r('WAWebCollections').Chat.get('${ADA_LID}')`;
const wid = (id: string) => `r('WAWebWidFactory').createWid('${id}')`;

test('calls beside a send throw or hang by a fault, and work without it', async () => {
  const { faults, phone } = whatsAppWeb;
  await phone.receive({ from: ADA, body: 'hello' });
  await eventually(() => ask(`${chat} !== undefined`));
  const calls = {
    seen: `r('WAWebUpdateUnreadChatAction').sendSeen({ chat: ${chat} })`,
    preview: `r('WAWebLinkPreviewChatAction').getLinkPreview({}, ${chat})`,
  };
  for (const [name, call] of Object.entries(calls)) {
    await faults.set({ [name]: 'throws' });
    assert.equal(await endOf(call), 'a fault of the page');
    await faults.set({ [name]: 'hangs' });
    assert.equal(await endOf(call, momentMs), 'hangs');
    await faults.clear();
    assert.equal(await endOf(call), 'comes');
  }
  await faults.set({ previewMs: 20_000 });
  assert.equal(await endOf(calls.preview, momentMs), 'hangs');
});

test('the look-up of one number hangs, others work', async () => {
  await whatsAppWeb.faults.set({ lookupHangs: ['+1 555 100 0002'] });
  const lookUp = (number: string, patienceMs?: number) =>
    endOf(`r('WAWebQueryExistsJob').queryWidExists(${wid(`${number}@c.us`)})`, patienceMs);
  assert.equal(await lookUp('15551000002', momentMs), 'hangs');
  assert.equal(await lookUp('15551000003'), 'comes');
});

test('requests for group metadata are counted, and can be refused or left open', async () => {
  const { faults, phone } = whatsAppWeb;
  const update = `r('WAWebCollections').WAWebGroupMetadataCollection.update(${wid(GROUP)})`;
  await faults.set({ groupMetadata: 'refused' });
  assert.equal(await endOf(update), 'not-authorized');
  await faults.set({ groupMetadata: 'hangs' });
  assert.equal(await endOf(update, momentMs), 'hangs');
  await faults.set({ groupMetadata: null, groupMetadataMs: 20_000 });
  assert.equal(await endOf(update, momentMs), 'hangs');
  await faults.clear();
  assert.equal(await endOf(update), 'comes');
  assert.equal((await phone.state()).groupQuestions, 4);
});

test('a load of earlier messages throws by a fault, and returns undefined without it', async () => {
  const loadEarlier = `r('WAWebChatLoadMessages').loadEarlierMsgs({ chat: ${chat} })`;
  await whatsAppWeb.faults.set({ loadEarlierThrows: true });
  assert.equal(await endOf(loadEarlier), 'a fault of the page');
  await whatsAppWeb.faults.clear();
  assert.equal(await ask(`String(await ${loadEarlier})`), 'undefined');
});

test('malformed messages and chats are as requested, even after a reload', async () => {
  const { phone } = whatsAppWeb;
  const thumbnail = 'A'.repeat(6_000);
  await phone.unusualMessage(ADA, { id: null, body: { not: 'text' } }, ['t']);
  await phone.unusualMessage(ADA, { type: 'location', body: thumbnail, lat: 1, lng: 2, loc: 'Town\nStreet' });
  await phone.unusualMessage(ADA, { type: 'poll_creation', body: '', pollName: 'Tea?' });
  await phone.unusualChat('15551000004', { lastReceivedKey: { odd: true }, name: 7 }, ['msgs']);
  await phone.unusualChat('15551000005', { serializeThrows: true });
  const see = () =>
    ask<unknown>(`{
      const { Chat } = r('WAWebCollections');
      const odd = Chat.get('${lidOf('15551000004')}');
      let thrown = null;
      try { Chat.get('${lidOf('15551000005')}').serialize(); } catch (error) { thrown = error.message; }
      return {
        messages: ${chat}.msgs.getModelsArray().slice(-3).map(({ id, t, type, body, pollName }) =>
          [id && 'id', typeof t, type, typeof body === 'string' ? body.length : body, pollName ?? null]),
        chat: [odd.lastReceivedKey, odd.name, 'msgs' in odd],
        thrown,
      };
    }`);
  const expected = {
    messages: [
      [null, 'undefined', 'chat', { not: 'text' }, null],
      ['id', 'number', 'location', 6_000, null],
      ['id', 'number', 'poll_creation', 0, 'Tea?'],
    ],
    chat: [{ odd: true }, 7, false],
    thrown: 'this chat cannot be serialized',
  };
  await eventually(async () => assert.deepEqual(await see(), expected) === undefined);
  await load(page);
  await untilSynced(page);
  await eventually(async () => assert.deepEqual(await see(), expected) === undefined);
});

test('stories and channels have their own chats', async () => {
  const { phone } = whatsAppWeb;
  const channel = '120363111111111111@newsletter';
  const story = await phone.receive({ chat: 'status@broadcast', from: ADA, body: 'a story' });
  assert.deepEqual([story.from, story.author], ['status@broadcast', ADA_LID]);
  await phone.receive({ chat: channel, from: channel, body: 'news' });
  await eventually(() =>
    ask(`{
      const { Chat, Msg, WAWebNewsletterCollection } = r('WAWebCollections');
      const news = WAWebNewsletterCollection.get('${channel}');
      return Msg.get('${story.id}') && Chat.get('status@broadcast') && !Chat.get('${channel}') && news.msgs.getModelsArray().length === 1;
    }`),
  );
});

test('10,000 messages at once are one event each, and 1,500 of one chat update its unread count each time', async () => {
  const { phone } = whatsAppWeb;
  await ask(`{
    window.added = [];
    window.counts = [];
    r('WAWebCollections').Msg.on('add', ({ id, isNewMsg }) => isNewMsg && window.added.push(String(id)));
    r('WAWebCollections').Chat.on('change:unreadCount', (_, count) => window.counts.push(count));
  }`);
  const ids = await phone.mass(10_000, 100);
  await eventually(() => ask('window.added.length === 10000'));
  assert.deepEqual(await ask('window.added'), ids);
  assert.equal(
    await ask(
      "r('WAWebCollections').Chat.getModelsArray().filter(({ unreadCount }) => unreadCount === 100).length",
    ),
    100,
  );

  await ask('{ window.counts = []; }');
  await phone.mass(1_500, 1);
  await eventually(() => ask('window.counts.length === 1500'));
  assert.deepEqual(await ask('[window.counts[0], window.counts.at(-1)]'), [101, 1_600]);
});

test('5,000 chats and 300 groups appear without message events', async () => {
  await ask('{ window.added = []; }');
  const ids = await whatsAppWeb.phone.fill({ chats: 5_000, groups: 300 });
  assert.equal(new Set(ids).size, 5_300);
  await eventually(() => ask(`r('WAWebCollections').Chat.get('${ids.at(-1)}') !== undefined`));
  assert.equal(await ask("r('WAWebCollections').Chat.getModelsArray().length >= 5300"), true);
  assert.deepEqual(await ask('window.added'), [], 'no message is new');
});

test('fields of Conn can be of any type', async () => {
  await whatsAppWeb.faults.set({ unusualConn: { pushname: 5, platform: null } });
  await load(page);
  await untilSynced(page);
  const conn = "(({ pushname, platform }) => [pushname, platform])(r('WAWebConnModel').Conn)";
  assert.deepEqual(await ask(conn), [5, null]);
});
