import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { logoutResults } from '../../src/contract/intent.js';
import type { Status } from '../../src/contract/status.js';
import { eventsOf } from '../support/api-caller.js';
import { eventually } from '../support/eventually.js';
import { kill } from '../support/processes.js';
import type { Product } from '../support/product.js';
import { readQr, Stage } from '../support/stage.js';

/** One account's life with the product as an operator runs it. Each test continues where the one before ended. */
let stage: Stage;
let product: Product;

before(async () => {
  stage = await Stage.open();
  product = start();
});
after(() => stage.close());

/** The product, with a browser that also opens a debugging port. */
function start(): Product {
  const { WHATSAPP_CHROME_ARGS } = stage.environment;
  return stage.start('all', { WHATSAPP_CHROME_ARGS: `${WHATSAPP_CHROME_ARGS} --remote-debugging-port=0` });
}

/** The URLs of the browser's pages, read from its debugging port. */
async function pages(): Promise<string[]> {
  const file = join(stage.environment.WHATSAPP_AUTH_DIR ?? '', 'session-default', 'DevToolsActivePort');
  const [port] = (await readFile(file, 'utf8')).split('\n');
  const targets = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as Target[];
  return targets
    .filter(({ type, url }) => type === 'page' && !url.startsWith('chrome:'))
    .map(({ url }) => url);
}

interface Target {
  readonly type: string;
  readonly url: string;
}

/** Waits for `ready` in a newer run; no QR may be shown on the way. */
async function readyWithoutQr(epoch: number, message: string): Promise<void> {
  const seen = new Set<string>();
  await product.until((s) => {
    seen.add(s.state);
    return s.ready && s.epoch > epoch;
  }, message);
  assert.ok(!seen.has('qr'), `states seen: ${[...seen]}`);
}

test('before the first start the status is stopped and the page says how to start', async () => {
  const status = await product.status();
  assert.equal(status.state, 'stopped');
  assert.deepEqual(Object.keys(status).slice(0, 9), [
    'state',
    'ready',
    'authenticated',
    'auth_dir',
    'chrome_executable',
    'headless',
    'has_qr',
    'last_error',
    'account',
  ]);
  const page = await (await product.get('/qr')).text();
  assert.match(page, /No QR is available yet\. Start auth, then refresh this page\./);
  assert.equal((await product.get('/qr.png')).status, 404);
});

test('a start answers with a QR, and the PNG shows the code that WhatsApp issued', async () => {
  const status = await product.post<Status>('/api/auth/start');
  assert.equal(status.state, 'qr');
  assert.equal(status.has_qr, true);
  assert.equal(status.qr?.number, 1);
  const png = Buffer.from(await (await product.get('/qr.png')).arrayBuffer());
  const issued = await stage.whatsApp.phone.currentQr();
  assert.deepEqual(readQr(png), { text: issued, width: 360, height: 360 });
  const page = await (await product.get('/qr')).text();
  assert.ok(page.includes(`data:image/png;base64,${png.toString('base64')}`));
  assert.equal((await stage.browsers()).length, 1);
  assert.deepEqual(await pages(), ['https://web.whatsapp.com/'], 'the browser uses its first page');
});

test('a start while a QR is shown answers at once and opens no second browser', async () => {
  const again = await product.post<Status>('/api/auth/start');
  assert.equal(again.state, 'qr');
  assert.equal((await stage.browsers()).length, 1);
});

test('a scan leads to ready as the account', async () => {
  const scan = await stage.whatsApp.phone.scanCurrent();
  assert.equal(scan.linked, true);
  const status = await product.until((s) => s.ready, 'ready after the scan');
  assert.equal(status.account?.wid, '15550001111@c.us');
  assert.equal(status.has_qr, false);
  assert.equal((await product.get('/qr.png')).status, 404);
  assert.match(await (await product.get('/qr')).text(), /Sam Example/);
});

test('after all processes are killed 5 s after ready, the session returns to ready without a QR', async () => {
  const ready = await product.loginSettled();
  for (const { pid } of await stage.processes()) kill(pid);
  await stage.nothingLeft();

  product = start();
  await readyWithoutQr(ready.epoch, 'ready after everything was killed');
  assert.equal((await stage.browsers()).length, 1);
});

test('after the browser dies, a new one is ready with the same login', async () => {
  const before = await product.status();
  await stage.killBrowser();
  const up = await product.until((s) => s.ready && s.incarnation > before.incarnation, 'a new browser');
  // The status may have dropped the reason by then; the events keep it.
  const saysWhy = /the browser died \(signal SIGKILL\)/;
  const hasSaidWhy = async () =>
    (await eventsOf(product, 'state', 1)).some(
      ({ epoch, last_error }) => epoch === before.epoch && saysWhy.test(String(last_error)),
    );
  await eventually(hasSaidWhy, { message: 'the status has said why' });
  assert.equal(up.epoch, before.epoch);
  assert.equal(up.restarts, before.restarts + 1);
  assert.equal(up.last_error, null);
  assert.equal((await stage.browsers()).length, 1);
});

test('an unlink on the phone brings a fresh QR without a request, and its login survives a restart', async () => {
  await stage.whatsApp.phone.unlink();
  await product.until((s) => s.has_qr, 'a fresh QR');
  assert.equal((await stage.whatsApp.phone.scanCurrent()).linked, true);
  const ready = await product.until((s) => s.ready, 'ready after the second scan');
  assert.equal(await product.end('SIGTERM'), 0);
  await stage.nothingLeft();

  product = start();
  await readyWithoutQr(ready.epoch, 'ready after the restart');
});

test('a device that was unlinked while the product was off gets a fresh QR, which links it again', async () => {
  await product.end('SIGTERM');
  await stage.whatsApp.phone.unlink();
  product = start();
  await product.until((s) => s.has_qr, 'a fresh QR', 150_000);
  assert.equal((await stage.whatsApp.phone.scanCurrent()).linked, true);
  await product.until((s) => s.ready, 'ready after the scan');
});

test('a stop keeps the device linked, and the next start needs no QR', async () => {
  assert.deepEqual(await product.post('/api/stop'), { ok: true });
  const stopped = await product.status();
  assert.equal(stopped.state, 'stopped');
  assert.deepEqual(await stage.browsers(), []);
  const first = await product.post<Status>('/api/auth/start');
  assert.notEqual(first.state, 'qr');
  await readyWithoutQr(stopped.epoch, `ready after the stop (first answer: ${JSON.stringify(first)})`);
});

test('a logout unlinks the device, wipes the credentials, and the next start shows a QR', async () => {
  assert.deepEqual(await product.post('/api/logout'), { ok: true, ...logoutResults.unlinked });
  const status = await product.status();
  assert.equal(status.state, 'stopped');
  assert.equal(status.account, null);
  assert.deepEqual((await stage.whatsApp.phone.state()).devices, []);
  assert.deepEqual(await product.post('/api/logout'), { ok: true, ...logoutResults.nothingLinked });
  assert.equal((await product.post<Status>('/api/auth/start')).state, 'qr');
});

test('SIGTERM ends the product with exit code 0 and leaves no process', async () => {
  assert.equal(await product.end('SIGTERM'), 0);
  await stage.nothingLeft();
});
