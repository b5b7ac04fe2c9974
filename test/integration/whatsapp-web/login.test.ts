import assert from 'node:assert/strict';
import { cp } from 'node:fs/promises';
import { basename } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { eventually } from '../../support/eventually.js';
import { JUNE, startWhatsAppWeb, type WhatsAppWeb } from '../../whatsapp-web/index.js';
import {
  type LibraryClient,
  listensTo,
  makeProfile,
  openBeforeSync,
  removeProfile,
  startLibrary,
} from '../../whatsapp-web/library-client.js';

/** Unmodified whatsapp-web.js in real Chromium: the stand-in must behave as WhatsApp Web does. */

let whatsAppWeb: WhatsAppWeb;
let profile: string;
let clients: LibraryClient[] = [];

beforeEach(async () => {
  whatsAppWeb = await startWhatsAppWeb({
    page: JUNE,
    timing: { openingMs: 20, restartMs: 20, offlineMs: 20, syncMs: 200 },
  });
  profile = await makeProfile();
});

afterEach(async () => {
  await Promise.all(clients.map((client) => client.closeBrowser()));
  clients = [];
  await whatsAppWeb.close();
  await removeProfile(profile);
});

function start(withProfile = profile): LibraryClient {
  const started = startLibrary(whatsAppWeb, withProfile);
  clients.push(started);
  return started;
}

async function startLoggedIn(): Promise<LibraryClient> {
  const library = start();
  // The first QR comes before the library listens for the sync: an earlier scan would miss `ready`.
  await library.initialized;
  const scanned = await whatsAppWeb.phone.scan(await library.next('qr'));
  assert.deepEqual(scanned, { linked: true, deviceId: 'device-1' });
  await library.next('ready');
  return library;
}

const names = (library: LibraryClient) => library.events.map(([name]) => name);

test('a scanned QR leads to ready, with the account in client.info and no unknown module', async () => {
  const library = await startLoggedIn();

  const { wid, pushname, platform } = library.client.info;
  assert.deepEqual([wid._serialized, pushname, platform], ['15550001111@c.us', 'Sam Example', 'android']);
  assert.equal(await library.client.getState(), 'CONNECTED');
  assert.deepEqual(
    names(library).filter((name) => name !== 'loading_screen'),
    ['qr', 'qr', 'authenticated', 'ready'],
  );
  const cleared = library.events.filter(([name]) => name === 'qr')[1]?.[1];
  assert.match(cleared ?? '', /^undefined,/, 'the ref is cleared while linking');
  const { devices, mostActingAtOnce, pagesEver, unknownModules } = await whatsAppWeb.phone.state();
  assert.deepEqual(unknownModules, []);
  assert.deepEqual([devices.length, devices[0]?.acting, mostActingAtOnce, pagesEver], [1, 1, 1, 1]);
});

test('QR codes rotate until the page is idle, and refreshQR() starts a new batch', async () => {
  const library = start();
  await library.initialized;
  const refreshQr = () => library.client.pupPage?.evaluate('window.require("WAWebCmd").Cmd.refreshQR()');
  const first = await library.next('qr');
  // The library would miss codes that pass before it listens.
  await whatsAppWeb.timing.set({ firstRefMs: 1_000, nextRefMs: 500, refsPerBatch: 3 });
  await refreshQr();
  const texts = [await library.next('qr', 1), await library.next('qr', 2), await library.next('qr', 3)];
  assert.equal(new Set([first, ...texts]).size, 4);
  await eventually(async () => (await library.client.getState()) === ('UNPAIRED_IDLE' as string));
  for (const text of texts) {
    const result = await whatsAppWeb.phone.scan(text);
    assert.ok(!result.linked && result.reason === 'expired');
  }

  await whatsAppWeb.timing.set({ firstRefMs: 60_000 });
  await refreshQr();
  assert.equal(await library.next('qr', 4), await whatsAppWeb.phone.currentQr());
  assert.ok((await whatsAppWeb.phone.scanCurrent()).linked);
  await library.next('ready');
});

test('a used QR and a QR with foreign keys are refused', async () => {
  const library = start();
  await library.initialized;
  const qr = await library.next('qr');
  const [ref, , ...rest] = qr.split(',');
  const foreign = await whatsAppWeb.phone.scan([ref, 'bm90IHRoZSBrZXk=', ...rest].join(','));
  assert.ok(!foreign.linked && foreign.reason === 'foreign-keys');

  assert.ok((await whatsAppWeb.phone.scan(qr)).linked);
  const again = await whatsAppWeb.phone.scan(qr);
  assert.ok(!again.linked && again.reason === 'used');
  await library.next('ready');
});

test('a restart on the same profile is ready without a QR', async () => {
  const first = await startLoggedIn();
  await first.closeBrowser();

  const second = await openBeforeSync(whatsAppWeb, () => start());
  await second.next('ready');
  assert.ok(!names(second).includes('qr'));
  assert.equal(second.client.info.wid._serialized, '15550001111@c.us');
  assert.equal((await whatsAppWeb.phone.state()).mostActingAtOnce, 1);
});

test('an unlink on the phone disconnects the client and a new QR comes', async () => {
  const library = await startLoggedIn();
  const seen = names(library).filter((name) => name === 'qr').length;

  assert.deepEqual(await whatsAppWeb.phone.unlink(), ['device-1']);
  assert.equal(await library.next('disconnected'), 'LOGOUT');
  assert.equal(await library.next('qr', seen), await whatsAppWeb.phone.currentQr());
  assert.deepEqual((await whatsAppWeb.phone.state()).devices, []);
});

test('a client unlinked while it was off is refused, and gets a QR at the next start', async () => {
  const first = await startLoggedIn();
  await first.closeBrowser();
  await whatsAppWeb.phone.unlink('device-1');

  // The page must be gone while the library waits for its state.
  await whatsAppWeb.faults.set({ stayOpening: true });
  const refused = start();
  await eventually(() => listensTo('state', refused), { timeoutMs: 60_000 });
  await whatsAppWeb.faults.clear();
  await assert.rejects(refused.initialized, /Execution context was destroyed/);
  await refused.closeBrowser();

  const fresh = start();
  assert.equal(await fresh.next('qr'), await whatsAppWeb.phone.currentQr());
});

test('logout() of the client unlinks the device and logs the profile out', async () => {
  const library = await startLoggedIn();
  // The page navigates only long after that: a busy machine may be slow to close the browser.
  await whatsAppWeb.timing.set({ logoutNavigationMs: 600_000 });
  await library.client.logout();
  assert.deepEqual((await whatsAppWeb.phone.state()).devices, []);
  assert.ok(!names(library).includes('disconnected'));

  const fresh = start();
  await fresh.next('qr');
});

test('another browser that takes over disconnects the client with CONFLICT', async () => {
  const library = await startLoggedIn();
  await whatsAppWeb.phone.conflict();
  assert.equal(await library.next('disconnected'), 'CONFLICT');
});

test('two browsers logged in as one device are counted, and the newer one puts the older into CONFLICT', async (t) => {
  await (await startLoggedIn()).closeBrowser();
  const copy = await makeProfile();
  t.after(() => removeProfile(copy));
  // Chromium's last child may still remove files.
  await eventually(async () => {
    await cp(profile, copy, { recursive: true, filter: (path) => !basename(path).startsWith('Singleton') });
    return true;
  });

  const older = await openBeforeSync(whatsAppWeb, () => start());
  await older.next('ready');
  assert.equal((await whatsAppWeb.phone.state()).mostActingAtOnce, 1, 'control: one after the other');

  const newer = await openBeforeSync(whatsAppWeb, () => start(copy));
  assert.equal(await older.next('disconnected'), 'CONFLICT');
  await newer.next('ready');
  const { mostActingAtOnce, devices } = await whatsAppWeb.phone.state();
  assert.deepEqual([mostActingAtOnce, devices[0]?.acting], [2, 1]);
  await newer.closeBrowser();
});
