import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { eventually } from '../../support/eventually.js';
import { JUNE, startWhatsAppWeb, type WhatsAppWeb } from '../../whatsapp-web/index.js';
import {
  type LibraryClient,
  makeProfile,
  removeProfile,
  startLibrary,
} from '../../whatsapp-web/library-client.js';

/** Unmodified whatsapp-web.js links by a code that is typed on the phone, while the page shows QR codes. */

const NUMBER = '15550001111';

let whatsAppWeb: WhatsAppWeb;
let profile: string;
let library: LibraryClient;

beforeEach(async () => {
  whatsAppWeb = await startWhatsAppWeb({
    page: JUNE,
    timing: { openingMs: 20, restartMs: 20, offlineMs: 20, syncMs: 200 },
  });
  profile = await makeProfile();
  library = startLibrary(whatsAppWeb, profile);
  await library.initialized;
});

afterEach(async () => {
  const { unknownModules } = await whatsAppWeb.phone.state();
  await library.closeBrowser();
  await whatsAppWeb.close();
  await removeProfile(profile);
  assert.deepEqual(unknownModules, []);
});

async function reasonOf(code: string): Promise<string> {
  const result = await whatsAppWeb.phone.enterCode(code);
  return result.linked ? 'linked' : result.reason;
}

test('a code typed on the phone leads to ready while the page shows QR codes', async () => {
  const qr = await library.next('qr');
  const code = await library.client.requestPairingCode(NUMBER);
  assert.match(code, /^[1-9A-HJ-NP-Z]{8}$/);
  assert.deepEqual([await library.next('code'), await whatsAppWeb.phone.currentCode()], [code, code]);
  assert.equal(await whatsAppWeb.phone.currentQr(), qr, 'the QR code can still be scanned');

  const spelled = `${code.slice(0, 4)}-${code.slice(4)}`.toLowerCase();
  assert.deepEqual(await whatsAppWeb.phone.enterCode(spelled), { linked: true, deviceId: 'device-1' });
  await library.next('ready');
  assert.equal(library.client.info.wid.user, NUMBER);
  assert.equal(await reasonOf(code), 'used-code');
  assert.equal(await whatsAppWeb.phone.currentCode(), null);
});

test('a renewal or a new request invalidates the earlier code', async () => {
  const first = await library.client.requestPairingCode(NUMBER, true, 100);
  const second = await library.next('code', 1);
  assert.notEqual(second, first);
  assert.equal(await reasonOf(first), 'replaced-code');

  const last = await library.client.requestPairingCode(NUMBER);
  assert.equal(await reasonOf(second), 'replaced-code');
  assert.equal(await reasonOf(last), 'linked');
  await library.next('ready');
});

test('a code is refused when mistyped, too late, or on the phone of another number', async () => {
  await whatsAppWeb.timing.set({ pairingCodeMs: 0 });
  const expired = await library.client.requestPairingCode(NUMBER);
  assert.equal(await reasonOf(expired), 'expired-code');
  assert.equal(await reasonOf('AAAA1111'), 'unknown-code');

  await whatsAppWeb.timing.set({ pairingCodeMs: 60_000 });
  assert.equal(await reasonOf(await library.client.requestPairingCode('15550002222')), 'other-number');
  assert.equal((await whatsAppWeb.phone.state()).devices.length, 0);
});

test('a request for a code fails for a number that is not on WhatsApp, and when WhatsApp refuses', async () => {
  await whatsAppWeb.directory.remove('15550002222');
  await assert.rejects(library.client.requestPairingCode('15550002222'), /bad-request/);
  await assert.rejects(library.client.requestPairingCode('123'), /bad-request/);

  await whatsAppWeb.faults.set({ codeRefused: 'rate-overlimit' });
  await assert.rejects(library.client.requestPairingCode(NUMBER), /rate-overlimit/);
  await whatsAppWeb.faults.clear();
  assert.equal(await reasonOf(await library.client.requestPairingCode(NUMBER)), 'linked');
  await library.next('ready');
});

test('cancelPairingCode() returns to QR codes with a new one', async () => {
  const before = await library.next('qr');
  const code = await library.client.requestPairingCode(NUMBER);
  await library.client.cancelPairingCode();
  assert.equal(await reasonOf(code), 'cancelled-code');

  await eventually(async () => library.events.some(([name, qr]) => name === 'qr' && qr !== before));
  assert.ok((await whatsAppWeb.phone.scanCurrent()).linked);
  await library.next('ready');
});

test('the code of a page that is gone is refused', async () => {
  const code = await library.client.requestPairingCode(NUMBER);
  await whatsAppWeb.faults.reloadNow();
  // The server may learn of the new page before it learns that the old one is gone; until then the code would link.
  await eventually(async () => {
    const { pagesEver, pagesNow } = await whatsAppWeb.phone.state();
    return pagesEver === 2 && pagesNow === 1;
  });
  assert.equal(await reasonOf(code), 'code-page-gone');
});
