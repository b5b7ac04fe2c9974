import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import type { Browser, Page } from 'puppeteer';
import { eventually } from '../../support/eventually.js';
import { startWhatsAppWeb, type WhatsAppWeb } from '../../whatsapp-web/index.js';
import { closePage, inPage, openPage, startBrowser, untilSynced } from '../../whatsapp-web/raw-page.js';

/** Accounts with a passkey: a scan or a code does not link, and the page waits for a person. */

const SCREEN = '[data-testid=shortcake_passkey_screen]';
const TYPE = "r('WAWebAltDeviceLinkingApi').getPairingType()";

let whatsAppWeb: WhatsAppWeb;
let browser: Browser;
let page: Page;

before(async () => {
  whatsAppWeb = await startWhatsAppWeb({
    timing: { openingMs: 20, restartMs: 20, offlineMs: 20, syncMs: 50 },
  });
  browser = await startBrowser(whatsAppWeb);
});

beforeEach(async () => {
  await whatsAppWeb.phone.unlink();
  await whatsAppWeb.phone.askForPasskey(true);
  await whatsAppWeb.timing.set({ firstRefMs: 60_000, nextRefMs: 20_000, refsPerBatch: 6 });
  page = await openPage(browser);
  await eventually(async () => (await whatsAppWeb.phone.currentQr()) !== null);
});

afterEach(() => closePage(whatsAppWeb, page));

after(async () => {
  await browser.close();
  await whatsAppWeb.close();
});

const ask = <T>(expression: string) => inPage<T>(page, expression);

test('a scan makes the page ask for the passkey: a new secret, an event, a screen and no login', async () => {
  const { phone } = whatsAppWeb;
  const secret = "r('WAWebUserPrefsMultiDevice').getADVSecretKey()";
  const before = await ask<string>(secret);
  await ask(`{
    r('WAWebLinkDeviceEvents').WAWebLinkDeviceEvents.on('link_device_events:passkey_prologue_request', () => {
      window.heard = true;
    });
  }`);
  const result = await phone.scanCurrent();
  assert.equal(!result.linked && result.reason, 'passkey-asked');
  await page.waitForSelector(`${SCREEN} button`);
  assert.notEqual(await ask(secret), before);
  assert.deepEqual(
    [await ask(TYPE), await ask('window.heard'), await ask("r('WAWebSocketModel').Socket.state")],
    ['SHORTCAKE_PASSKEY', true, 'UNPAIRED'],
  );
  const { passkey, devices } = await phone.state();
  assert.deepEqual([passkey.isAsked, passkey.waiting, devices], [true, 1, []]);

  assert.deepEqual(await phone.finishPasskey(), { linked: true, deviceId: 'device-1' });
  await untilSynced(page);
  assert.equal(await page.$(SCREEN), null);
  assert.deepEqual(await phone.finishPasskey().then((again) => again.linked), false);
  assert.deepEqual((await phone.state()).disturbances, { refreshes: 0, codes: 0 });
});

test('codes go on meanwhile, requests of the page are counted, and the passkey can be cancelled', async () => {
  const { phone, timing } = whatsAppWeb;
  await timing.set({ firstRefMs: 2_000, nextRefMs: 100, refsPerBatch: 2 });
  const shown = await phone.currentQr();
  await ask("r('WAWebLaunchSocketUtils').refreshQR()");
  // The refresh must not come after the scan, where it would count as a disturbance.
  await eventually(async () => ![null, shown].includes(await phone.currentQr()));
  await phone.scanCurrent();
  await page.waitForSelector(SCREEN);
  await eventually(async () => (await ask("r('WAWebSocketModel').Socket.state")) === 'UNPAIRED_IDLE');

  await timing.set({ firstRefMs: 60_000 });
  await ask(`{
    r('WAWebLaunchSocketUtils').refreshQR();
    const linking = r('WAWebAltDeviceLinkingApi');
    await linking.initializeAltDeviceLinking();
    await linking.startAltLinkingFlow('15550001111').catch(() => {});
  }`);
  assert.deepEqual((await phone.state()).disturbances, { refreshes: 1, codes: 1 });

  await phone.cancelPasskey();
  await eventually(async () => (await ask(TYPE)) === 'QR_CODE');
  assert.equal(await page.$(SCREEN), null);
  await phone.askForPasskey(false);
  await eventually(async () => (await phone.scanCurrent()).linked);
  await untilSynced(page);
});

test('a typed code asks for the passkey too, and the request ends with the page', async () => {
  const { phone } = whatsAppWeb;
  const code = await ask<string>(`{
    const linking = r('WAWebAltDeviceLinkingApi');
    await linking.initializeAltDeviceLinking();
    return linking.startAltLinkingFlow('15550001111');
  }`);
  const result = await phone.enterCode(code);
  assert.equal(!result.linked && result.reason, 'passkey-asked');
  await page.waitForSelector(SCREEN);
  await page.close();
  await eventually(async () => (await phone.state()).passkey.waiting === 0);
  const finished = await phone.finishPasskey();
  assert.equal(!finished.linked && finished.reason, 'no-passkey-asked');
});
