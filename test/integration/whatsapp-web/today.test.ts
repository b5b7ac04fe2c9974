import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import type { Browser, Page } from 'puppeteer';
import { eventually } from '../../support/eventually.js';
import { JUNE, lidOf, startWhatsAppWeb, TODAY, type WhatsAppWeb } from '../../whatsapp-web/index.js';
import {
  closePage,
  inPage,
  load,
  logIn,
  openPage,
  startBrowser,
  untilSynced,
} from '../../whatsapp-web/raw-page.js';

/** Each difference between today's page and the page of June. Each can be switched back. */

const ADA = '15551000001';
const ADA_LID = lidOf(ADA);
const ME_LID = '990001111@lid';

let whatsAppWeb: WhatsAppWeb;
let browser: Browser;
let page: Page;

before(async () => {
  whatsAppWeb = await startWhatsAppWeb({
    timing: {
      openingMs: 20,
      restartMs: 20,
      offlineMs: 20,
      syncMs: 50,
      deliveredMs: null,
      logoutNavigationMs: 50,
    },
  });
  browser = await startBrowser(whatsAppWeb);
});

beforeEach(async () => {
  await whatsAppWeb.page.set(structuredClone(TODAY));
  await whatsAppWeb.faults.clear();
  page = await openPage(browser);
});

afterEach(async () => {
  await closePage(whatsAppWeb, page);
  await whatsAppWeb.phone.unlink();
});

after(async () => {
  await browser.close();
  await whatsAppWeb.close();
});

const ask = <T>(expression: string) => inPage<T>(page, expression);

const devices = async () => (await whatsAppWeb.phone.state()).devices.length;

async function loadWith(change: Partial<typeof JUNE>): Promise<void> {
  await whatsAppWeb.page.set(change);
  await load(page);
}

test('the version is that of the settings', async () => {
  assert.equal(await ask('window.Debug.VERSION'), TODAY.version);
  await loadWith({ version: JUNE.version });
  assert.equal(await ask('window.Debug.VERSION'), JUNE.version);
});

test('a message key has its string in another field, and the look-ups of the page still work', async () => {
  const { id } = await whatsAppWeb.phone.receive({ from: ADA, body: 'hello' });
  const fields = () =>
    ask<string[]>(`Object.keys(r('WAWebCollections').Msg.get(${JSON.stringify(id)}).id).sort()`);
  await logIn(whatsAppWeb, page);
  assert.deepEqual(await fields(), ['$1', 'fromMe', 'id', 'remote']);

  await loadWith({ keyField: JUNE.keyField });
  await untilSynced(page);
  assert.deepEqual(await fields(), ['_serialized', 'fromMe', 'id', 'remote']);
});

test('chats, messages and groups use hidden ids, and the page knows the numbers', async () => {
  const { phone } = whatsAppWeb;
  const group = '120363000000000007@g.us';
  await phone.setChat(group, { name: 'Team', participants: [ADA] });
  const inGroup = await phone.receive({ chat: group, from: ADA, body: 'to all', name: 'Ada' });
  const direct = await phone.receive({ from: `+${ADA}`, body: 'to you' });
  assert.deepEqual([direct.chatId, direct.from, direct.to], [ADA_LID, ADA_LID, ME_LID]);
  assert.equal(inGroup.id, `false_${group}_${inGroup.key}_${ADA_LID}`);

  await logIn(whatsAppWeb, page);
  const about = await ask<unknown>(`{
    const { Chat, Msg, Contact } = r('WAWebCollections');
    const { createWid } = r('WAWebWidFactory');
    const { chat } = await r('WAWebFindChatAction').findOrCreateLatestChat(createWid('${ADA}@c.us'));
    const found = await r('WAWebQueryExistsJob').queryWidExists(createWid('${ADA}@c.us'));
    const message = Msg.get(${JSON.stringify(inGroup.id)});
    const ada = Contact.get(createWid('${ADA_LID}'));
    return {
      chat: String(chat.id), byNumber: Chat.get('${ADA}@c.us') === undefined, found: String(found.wid),
      author: String(message.author), member: String(Chat.get('${group}').groupMetadata.participants.getModelsArray()[0].id),
      number: String(r('WAWebLidMigrationUtils').toPn(chat.id)), lid: String(r('WAWebLidMigrationUtils').toLid(createWid('${ADA}@c.us'))),
      contact: [String(ada.id), ada.pushname, String(ada.phoneNumber)],
      me: String(r('WAWebLidMigrationUtils').toPn(r('WAWebUserPrefsMeUser').getMaybeMeLidUser())),
    };
  }`);
  assert.deepEqual(about, {
    chat: ADA_LID,
    byNumber: true,
    found: ADA_LID,
    author: ADA_LID,
    member: ADA_LID,
    number: `${ADA}@c.us`,
    lid: ADA_LID,
    contact: [ADA_LID, 'Ada', `${ADA}@c.us`],
    me: '15550001111@c.us',
  });
});

test('a hidden number is unknown until the page looks it up', async () => {
  const hidden = '15551000002';
  await whatsAppWeb.directory.hideNumber(hidden);
  await whatsAppWeb.phone.receive({ from: hidden, body: 'who am I?' });
  await logIn(whatsAppWeb, page);
  const number = () =>
    ask(`String(r('WAWebApiContact').getPhoneNumber(r('WAWebWidFactory').createWid('${lidOf(hidden)}')))`);
  assert.equal(await number(), 'null');
  assert.equal(await ask(`r('WAWebCollections').Chat.get('${lidOf(hidden)}').name`), lidOf(hidden));
  await ask(`r('WAWebQueryExistsJob').queryWidExists(r('WAWebWidFactory').createWid('${hidden}@c.us'))`);
  assert.equal(await number(), `${hidden}@c.us`);
});

test('the look-up can return the number, and chats can use numbers and keep their messages', async () => {
  const found = `String((await r('WAWebQueryExistsJob').queryWidExists(r('WAWebWidFactory').createWid('${ADA}@c.us'))).wid)`;
  await loadWith({ existsAnswers: 'pn' });
  await logIn(whatsAppWeb, page);
  await whatsAppWeb.phone.receive({ from: ADA, body: 'hello' });
  assert.equal(await ask(found), `${ADA}@c.us`);
  assert.ok(await ask(`r('WAWebCollections').Chat.get('${ADA_LID}') !== undefined`));

  await loadWith({ lidChats: false });
  await untilSynced(page);
  assert.ok(await ask(`r('WAWebCollections').Chat.get('${ADA}@c.us') !== undefined`));
  assert.equal((await whatsAppWeb.phone.chats())[0]?.id, `${ADA}@c.us`);
});

test('a message that the page of June could not send is sent by the page of today, once, with its hidden id', async () => {
  const { faults, phone } = whatsAppWeb;
  await loadWith(structuredClone(JUNE));
  await logIn(whatsAppWeb, page);
  await faults.set({ dropBeforeServer: true });
  const key = await ask<string>(`{
    const { createWid } = r('WAWebWidFactory');
    const { chat } = await r('WAWebFindChatAction').findOrCreateLatestChat(createWid('15551000009@c.us'));
    const id = new (r('WAWebMsgKey'))({ fromMe: true, remote: chat.id, id: await r('WAWebMsgKey').newId() });
    const message = { id, to: chat.id, from: r('WAWebUserPrefsMeUser').getMaybeMePnUser(), body: 'kept', type: 'chat', t: 1700000000, ack: 0 };
    await r('WAWebSendMsgChatAction').addAndSendMsgToChat(chat, message)[0];
    return id.id;
  }`);
  // The page says that it has the message before the message reaches the server.
  const isLost = async () =>
    (await phone.state()).journal.some(({ text }) => text.startsWith('A message was lost'));
  await eventually(isLost);
  await faults.clear();
  await whatsAppWeb.page.set(structuredClone(TODAY));
  await load(page);
  await untilSynced(page);
  const id = `true_${lidOf('15551000009')}_${key}`;
  await eventually(async () => (await phone.received()).some((one) => one.id === id && one.times === 1));
  await eventually(() => ask(`r('WAWebCollections').Msg.get('${id}')?.ack === 1`));
});

test('new QR codes come from another module', async () => {
  assert.equal(await ask("typeof r('WAWebCmd').Cmd.refreshQR"), 'undefined');
  const refresh = async (script: string) => {
    const before = await whatsAppWeb.phone.currentQr();
    await ask(script);
    await eventually(async () => (await whatsAppWeb.phone.currentQr()) !== before);
  };
  await eventually(async () => (await whatsAppWeb.phone.currentQr()) !== null);
  await refresh("r('WAWebLaunchSocketUtils').refreshQR()");

  await loadWith({ refreshQr: 'cmd' });
  await eventually(async () => (await whatsAppWeb.phone.currentQr()) !== null);
  await refresh("r('WAWebCmd').Cmd.refreshQR()");
  await refresh("r('WAWebLaunchSocketUtils').refreshQR()");
});

const untilLoggedOutPage = () => eventually(() => page.url().endsWith('/?post_logout=1&logout_reason=0'));

test('logout() returns at once; the page then unpairs through a module that can be wrapped, and navigates', async () => {
  // Long enough for a busy machine.
  await loadWith({ logoutDeadlineMs: 60_000 });
  await logIn(whatsAppWeb, page);
  const calls: unknown[] = [];
  await page.exposeFunction('heard', (...heard: unknown[]) => void calls.push(heard));
  const answer = await ask(`{
    const job = r('WAWebUnpairDeviceJob');
    const { unpairDevice } = job;
    job.unpairDevice = async (reason) => {
      const answer = await unpairDevice(reason);
      window.heard('unpaired', reason, answer.status);
      return answer;
    };
    const { Socket } = r('WAWebSocketModel');
    Socket.on('change:hasSynced', (_, hasSynced) => window.heard('hasSynced', String(hasSynced)));
    const answer = String(Socket.logout());
    window.heard('returned');
    return answer;
  }`);
  assert.equal(answer, 'undefined');
  await untilLoggedOutPage();
  assert.equal(await devices(), 0);
  assert.deepEqual(calls, [['returned'], ['unpaired', 'user_initiated', 200], ['hasSynced', 'undefined']]);
});

test('the page navigates after a refusal or a silence too, and the device stays linked', async () => {
  for (const fault of [{ logoutRefused: 503 }, { logoutSilent: true }]) {
    await whatsAppWeb.faults.set(fault);
    await logIn(whatsAppWeb, page);
    await ask("void r('WAWebSocketModel').Socket.logout()");
    await untilLoggedOutPage();
    assert.equal(await devices(), 1, JSON.stringify(fault));
    await whatsAppWeb.phone.unlink();
    await whatsAppWeb.faults.clear();
    await load(page);
  }
});

test('in June logout() was a promise that resolved when the device was unlinked', async () => {
  await loadWith({ logout: 'awaited', unsetsSyncAtLogout: false });
  await logIn(whatsAppWeb, page);
  const hasSynced = await ask(`{
    const { Socket } = r('WAWebSocketModel');
    await Socket.logout();
    return Socket.hasSynced;
  }`);
  assert.deepEqual([hasSynced, await devices()], [true, 0]);
  await untilLoggedOutPage();
});

const secret = () => ask<string | null>("r('WAWebUserPrefsMultiDevice').getADVSecretKey()");
const beginCode = () =>
  ask<string>(`{
    const linking = r('WAWebAltDeviceLinkingApi');
    linking.setPairingType('ALT_DEVICE_LINKING');
    await linking.initializeAltDeviceLinking();
    return linking.startAltLinkingFlow('15550001111', true, 'CHROME', 'Chrome');
  }`);

test('a pairing code removes the secret of QR codes, and a return to QR codes makes a new one', async () => {
  const { phone } = whatsAppWeb;
  const first = await eventually(async () => phone.currentQr());
  await beginCode();
  assert.equal(await secret(), null);
  assert.equal(await ask("r('WAWebAltDeviceLinkingApi').getPairingType()"), 'ALT_DEVICE_LINKING');
  const reasonOf = async (qr: string) => {
    const result = await phone.scan(qr);
    return result.linked ? 'linked' : result.reason;
  };
  await eventually(async () => (await phone.currentQr()) === null);
  const parts = (first ?? '').split(',');
  assert.equal(await reasonOf(parts.with(3, 'null').join(',')), 'no-secret');

  await ask("r('WAWebAltDeviceLinkingApi').initializeQRLinking()");
  assert.equal(await ask("r('WAWebAltDeviceLinkingApi').getPairingType()"), 'QR_CODE');
  assert.equal(await reasonOf(first ?? ''), 'old-secret');
  assert.equal(await reasonOf(parts.with(3, String(await secret())).join(',')), 'linked');
});

test('a pairing code links and brings a secret; in June it left the QR code valid', async () => {
  await eventually(async () => (await whatsAppWeb.phone.currentQr()) !== null);
  const code = await beginCode();
  assert.ok((await whatsAppWeb.phone.enterCode(code)).linked);
  await untilSynced(page);
  assert.notEqual(await secret(), null);
  await closePage(whatsAppWeb, page);

  await whatsAppWeb.page.set({ codeTakesSecret: false });
  page = await openPage(browser);
  const qr = await eventually(async () => whatsAppWeb.phone.currentQr());
  await beginCode();
  assert.equal(await whatsAppWeb.phone.currentQr(), qr);
});

test('the device has the name of the system that the page detects when it connects', async () => {
  const names = async () => (await whatsAppWeb.phone.state()).devices.map(({ name }) => name);
  assert.match(await ask<string>("typeof r('WAWebBrowserInfo')"), /function/);
  const shown = await eventually(async () => whatsAppWeb.phone.currentQr());
  await ask(`{
    r('WAWebUA').UA.parser.getResult = () => ({ os: { name: 'Holdline' }, browser: { name: 'Chrome', version: '1' } });
    r('WAWebLaunchSocketUtils').refreshQR();
  }`);
  await eventually(async () => ![null, shown].includes(await whatsAppWeb.phone.currentQr()));
  await eventually(async () => (await ask<string>("r('WAWebBrowserInfo')().os")) === 'Holdline');
  await logIn(whatsAppWeb, page);
  assert.deepEqual(await names(), ['Holdline']);
  await closePage(whatsAppWeb, page);
  await whatsAppWeb.phone.unlink();

  await whatsAppWeb.page.set({ miscBrowserInfo: true });
  page = await openPage(browser);
  assert.equal(await ask("r('WAWebMiscBrowserUtils').info().os"), 'Linux');
  await assert.rejects(ask("r('WAWebBrowserInfo')"), /unknown module/);
  await logIn(whatsAppWeb, page);
  assert.deepEqual(await names(), ['Linux']);
});

test('a module that the settings remove is missing at the next load', async () => {
  await loadWith({ missing: ['WAWebStreamModel', 'WAWebUpdateUnreadChatAction.sendSeen'] });
  await assert.rejects(ask("r('WAWebStreamModel')"), /unknown module/);
  assert.equal(await ask("typeof r('WAWebUpdateUnreadChatAction').sendSeen"), 'undefined');
  assert.equal(await ask("typeof r('WAWebCollections').GroupMetadata"), 'undefined');

  await loadWith({ missing: [], groupMetadata: JUNE.groupMetadata, placeholderGate: true });
  assert.equal(await ask("typeof r('WAWebUpdateUnreadChatAction').sendSeen"), 'function');
  assert.equal(await ask("typeof r('WAWebCollections').GroupMetadata.update"), 'function');
  assert.equal(await ask("typeof r('WAWebSyncGatingUtils').isPlaceholderMessageResendEnabled"), 'function');
});

test('the server records the user agents of the request, the page and its workers', async () => {
  const { state } = whatsAppWeb.phone;
  await eventually(async () => Object.keys((await state()).agents).length === 3);
  const { agents } = await state();
  const userAgent = await browser.userAgent();
  assert.deepEqual(
    [agents.page?.userAgent, agents.worker?.userAgent, agents['service-worker']?.userAgent],
    [userAgent, userAgent, userAgent],
  );
  const request = (await state()).requests.findLast(({ path }) => path === '/');
  assert.equal(request?.userAgent, userAgent);
  assert.match(request?.secChUa ?? '', /Chrom/);
});
