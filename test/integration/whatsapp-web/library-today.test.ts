import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { eventually } from '../../support/eventually.js';
import { lidOf, startWhatsAppWeb, type WhatsAppWeb } from '../../whatsapp-web/index.js';
import {
  type LibraryClient,
  makeProfile,
  removeProfile,
  startLibrary,
} from '../../whatsapp-web/library-client.js';

/** Unmodified whatsapp-web.js 1.34.7, which was made for the page of June, on today's page. */

const ADA = '15551000001';

let whatsAppWeb: WhatsAppWeb;
let profile: string;
let library: LibraryClient;

beforeEach(async () => {
  whatsAppWeb = await startWhatsAppWeb({
    // The page reports its logout late, so that even a busy machine has closed the browser before.
    page: { logoutDeadlineMs: 120_000 },
    timing: {
      ...{ openingMs: 20, restartMs: 20, offlineMs: 20, syncMs: 200, deliveredMs: null },
      sentinelMs: 60_000,
    },
  });
  profile = await makeProfile();
  library = startLibrary(whatsAppWeb, profile);
  await library.initialized;
});

afterEach(async () => {
  await library.closeBrowser();
  await whatsAppWeb.close();
  await removeProfile(profile);
});

async function becomeReady(): Promise<void> {
  await whatsAppWeb.phone.scanCurrent();
  await library.next('ready');
}

test('it becomes ready and emits messages without a usable id', async () => {
  await becomeReady();
  const heard = new Promise<{ id: object; from: string }>((resolve) => {
    library.client.once('message', resolve);
  });
  await whatsAppWeb.phone.receive({ from: ADA, body: 'hello' });
  const { id, from } = await heard;
  assert.equal(from, lidOf(ADA));
  assert.ok(!('_serialized' in id) && '$1' in id);
});

test('it sends to the hidden id, and the call returns no message', async () => {
  await becomeReady();
  const sent = await library.client.sendMessage(`${ADA}@c.us`, 'hello').catch((error: Error) => error);
  assert.ok(sent === undefined || sent instanceof Error, 'no message comes back');
  const received = await eventually(async () => (await whatsAppWeb.phone.received())[0]);
  assert.deepEqual([received?.to, received?.body, received?.times], [lidOf(ADA), 'hello', 1]);
  assert.match(received?.id ?? '', new RegExp(`^true_${lidOf(ADA)}_3EB0`));
});

test('its logout() closes the browser before the page has reported the logout: the device stays linked', async () => {
  await becomeReady();
  await library.client.logout();
  assert.equal((await whatsAppWeb.phone.state()).devices.length, 1);
});

test('an unlink on the phone makes it authenticated once more before it is disconnected', async () => {
  await becomeReady();
  await whatsAppWeb.phone.unlink();
  assert.equal(await library.next('disconnected'), 'LOGOUT');
  const names = library.events.map(([name]) => name).filter((name) => name !== 'loading_screen');
  const again = names.slice(names.indexOf('ready') + 1);
  assert.ok(again.includes('authenticated'), `after ready came ${again.join()}`);
});

test('after a pairing code its QR codes have no secret, and no phone accepts them', async () => {
  await library.client.requestPairingCode('15550001111');
  const seen = library.events.filter(([name]) => name === 'qr').length;
  await library.client.pupPage?.evaluate('window.require("WAWebLaunchSocketUtils").refreshQR()');
  const qr = await library.next('qr', seen);
  assert.equal(qr.split(',')[3], 'null');
  const result = await whatsAppWeb.phone.scan(qr);
  assert.equal(!result.linked && result.reason, 'no-secret');
});
