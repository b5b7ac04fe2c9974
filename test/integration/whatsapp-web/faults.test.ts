import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { eventually } from '../../support/eventually.js';
import {
  type Controls,
  connectControls,
  JUNE,
  startWhatsAppWeb,
  type WhatsAppWeb,
} from '../../whatsapp-web/index.js';
import {
  type LibraryClient,
  makeProfile,
  openBeforeSync,
  removeProfile,
  startLibrary,
} from '../../whatsapp-web/library-client.js';

/** Each fault of the stand-in, set through its HTTP control API, as unmodified whatsapp-web.js sees it. */

let whatsAppWeb: WhatsAppWeb;
let controls: Controls;
let profile: string;
let library: LibraryClient | undefined;

beforeEach(async () => {
  whatsAppWeb = await startWhatsAppWeb({
    page: JUNE,
    timing: { openingMs: 20, restartMs: 20, offlineMs: 20, syncMs: 200 },
  });
  controls = connectControls(whatsAppWeb.controlUrl);
  profile = await makeProfile();
});

afterEach(async () => {
  await library?.closeBrowser();
  library = undefined;
  await whatsAppWeb.close();
  await removeProfile(profile);
});

function start(options: Parameters<typeof startLibrary>[2] = {}): LibraryClient {
  library = startLibrary(whatsAppWeb, profile, options);
  return library;
}

const hasSynced = (client: LibraryClient) =>
  client.client.pupPage?.evaluate('window.require("WAWebSocketModel").Socket.hasSynced');

const isReady = ({ events }: LibraryClient) => events.some(([name]) => name === 'ready');

async function scanAndFinishOfflineMessages(client: LibraryClient): Promise<void> {
  await client.initialized;
  await controls.phone.scanCurrent();
  await eventually(() =>
    client.events.some(([name, percent]) => name === 'loading_screen' && percent === '100'),
  );
  // The page receives messages of the server in order: when it shows this state, it has received the sync.
  await controls.phone.showState('TIMEOUT');
  await eventually(async () => (await client.client.getState()) === 'TIMEOUT');
}

/** Asserts that only the fault prevented `ready`: without it, the same page becomes ready after a reload. */
async function assertReadyWithoutTheFault(client: LibraryClient): Promise<void> {
  await controls.faults.clear();
  await openBeforeSync(controls, async () => {
    await controls.faults.reloadNow();
    return client;
  });
  await client.next('ready');
}

test('already synced: the client is synced and emits no event', async () => {
  await controls.faults.set({ alreadySynced: true });
  const client = start();
  await scanAndFinishOfflineMessages(client);

  assert.equal(await hasSynced(client), true);
  assert.ok(!client.events.some(([name]) => name === 'authenticated'));
  assert.ok(!isReady(client));
  await assertReadyWithoutTheFault(client);
});

test('never synced: the client gets its offline messages, and is neither synced nor ready', async () => {
  await controls.faults.set({ neverSynced: true });
  const client = start();
  await scanAndFinishOfflineMessages(client);

  assert.equal(await hasSynced(client), false);
  assert.ok(!isReady(client));
  await assertReadyWithoutTheFault(client);
});

test('no ref: the only QR of the client begins with "undefined," and the phone sees none', async () => {
  await controls.faults.set({ noRef: true });
  const client = start();
  assert.match(await client.next('qr'), /^undefined,/);
  const result = await controls.phone.scanCurrent();
  assert.ok(!result.linked && result.reason === 'no-qr');
});

test('server error and a page without window.Debug: initialize() ends with "auth timeout"', async () => {
  await controls.faults.set({ server: 'error-500' });
  await assert.rejects(start({ authTimeoutMs: 500 }).initialized, (error) => error === 'auth timeout');
  await library?.closeBrowser();

  await controls.faults.clear();
  await controls.faults.set({ withoutDebug: true });
  await assert.rejects(start({ authTimeoutMs: 500 }).initialized, (error) => error === 'auth timeout');
  await eventually(async () => (await controls.phone.state()).pagesEver === 1);
});

test('silent server and stay-opening: initialize() waits until its calls time out', async () => {
  await controls.faults.set({ server: 'silent' });
  await assert.rejects(start({ protocolTimeoutMs: 4_000 }).initialized, /timed out/);
  await library?.closeBrowser();

  await controls.faults.clear();
  await controls.faults.set({ stayOpening: true });
  await assert.rejects(start({ protocolTimeoutMs: 10_000 }).initialized, /timed out/);
  assert.equal((await controls.phone.state()).connections[0]?.state, 'OPENING');
});

test('cut connections: initialize() fails with the network error', async () => {
  await controls.faults.set({ server: 'reset' });
  await assert.rejects(start().initialized, /net::ERR_/);
});

test('a missing module: initialize() fails with its name, and the stand-in records it', async () => {
  await controls.faults.set({ missingModules: ['WAWebConnModel'] });
  await assert.rejects(start().initialized, /WAWebConnModel/);
  await eventually(async () => (await controls.phone.state()).unknownModules.includes('WAWebConnModel'));
});

test('a reload after the first ref happens once, and the page then shows another ref', async () => {
  await controls.faults.set({ reloadAt: { step: 'first-ref' } });
  start();
  // The server may learn of the new page before it learns that the old one is gone.
  await eventually(async () => {
    const { refs } = await controls.phone.state();
    assert.deepEqual(
      refs.map(({ isPageGone }) => isPageGone),
      [true, false],
    );
    return true;
  });
  assert.equal((await controls.phone.state()).pagesEver, 2);
  assert.equal((await controls.faults.current()).reloadAt, null);
});

test('an iframe and a pushState make the client emit its QR again', async () => {
  const client = start();
  const first = await client.next('qr');
  await client.initialized;
  await controls.faults.appendIframeNow();
  assert.equal(await client.next('qr', 1), first);
  await client.settled();

  const before = client.events.length;
  await controls.faults.pushStateNow();
  await eventually(() => client.events.length > before);
  assert.ok(client.events.every(([, qr]) => qr === first));
  assert.equal((await controls.phone.state()).pagesEver, 1);
});

test('a reload gives the client another QR', async () => {
  const client = start();
  const first = await client.next('qr');
  await client.initialized;
  await controls.faults.reloadNow();
  await eventually(() => client.events.some(([name, qr]) => name === 'qr' && qr !== first));
  assert.equal((await controls.phone.state()).pagesEver, 2);
});

test('a hanging page answers no call and keeps its connection', async () => {
  const client = start({ protocolTimeoutMs: 10_000 });
  await client.next('qr');
  await client.initialized;
  await controls.faults.hangNow();
  await assert.rejects(async () => {
    for (;;) await client.client.getState();
  }, /timed out/);
  assert.equal((await controls.phone.state()).pagesNow, 1);
});

test('an unknown fault or method is refused by name', async () => {
  await assert.rejects(controls.faults.set({ noQr: true } as never), /no setting "noQr"; known are server,/);
  await assert.rejects(
    (controls.phone as unknown as { call: () => Promise<void> }).call(),
    /no phone\.call\(\)/,
  );
});
