import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { exitReasons } from '../../../../src/contract/exit-reasons.js';
import { putBackLogin } from '../../../../src/session-worker/whatsapp/login-storage.js';
import {
  readPinnedPage,
  servePinnedPage,
  WebVersionError,
  wrongVersionSentence,
} from '../../../../src/session-worker/whatsapp/pinned-page.js';
import { eventually } from '../../../support/eventually.js';
import { startForeignPage } from '../../../support/foreign-page.js';
import { assertNothingLeft, scratchDir } from '../../../support/leftovers.js';
import { type OpenChromium, openChromium } from '../../../support/open-chromium.js';

const origin = 'https://web.whatsapp.com';
const dir = scratchDir();

const pinned =
  '<!doctype html><title>pinned ü</title><script src="/app.js"></script><iframe src="/frame"></iframe>';
const serviceWorker = `
  addEventListener('install', () => skipWaiting());
  addEventListener('activate', (event) => event.waitUntil(clients.claim()));
  addEventListener('fetch', (event) => {
    if (event.request.mode !== 'navigate') return;
    event.respondWith(new Response('<title>by the service worker</title>', { headers: { 'content-type': 'text/html' } }));
  });`;
const server = await startForeignPage((path) => {
  if (path === '/app.js') return { type: 'text/javascript', body: 'window.app = "from the server"' };
  if (path === '/service-worker.js') return { type: 'text/javascript', body: serviceWorker };
  return { body: path === '/frame' ? '<title>frame</title>' : '<title>live</title>' };
});

after(async () => {
  await server.close();
  await assertNothingLeft();
});

async function withChromium(work: (chromium: OpenChromium) => Promise<void>): Promise<void> {
  server.requests.length = 0;
  const chromium = await openChromium({ dir, chromeArgs: server.chromeArgs });
  try {
    await work(chromium);
  } finally {
    await chromium.close();
  }
}

const documentsAsked = () => server.requests.filter((request) => request.startsWith('document '));

test('every document of the page is the pinned one: the first, after reloads and at any URL', () =>
  withChromium(async ({ page }) => {
    await servePinnedPage(page, pinned);
    const navigations = [
      () => page.goto(`${origin}/`),
      () => page.reload(),
      () => page.goto(`${origin}/?post_logout=1&logout_reason=0`),
      () => page.goto(`${origin}/send?phone=1`),
      () => page.goto(`${origin}/#a`),
    ];
    for (const navigate of navigations) {
      await navigate();
      assert.equal(await page.title(), 'pinned ü');
      assert.equal(await page.evaluate('window.app'), 'from the server');
    }
    await Promise.all([page.waitForNavigation(), page.evaluate('location.reload()')]);
    assert.equal(await page.title(), 'pinned ü');
    assert.deepEqual(documentsAsked(), [], 'WhatsApp got no request for a start page');
    assert.ok(server.requests.includes('script /app.js'));
    assert.ok(server.requests.includes('iframe /frame'), 'other documents come from the server');
    const frame = await eventually(() => page.frames().find((each) => each.url() === `${origin}/frame`));
    assert.equal(await frame?.title(), 'frame');
  }));

test('control: without a pin the page is the live one', () =>
  withChromium(async ({ page }) => {
    await page.goto(`${origin}/`);
    assert.equal(await page.title(), 'live');
    assert.deepEqual(documentsAsked(), ['document /']);
  }));

test('a service worker cannot answer the start page', () =>
  withChromium(async ({ page }) => {
    await page.goto(`${origin}/`);
    await page.evaluate(`(async () => {
      const taken = new Promise((done) => navigator.serviceWorker.addEventListener('controllerchange', done));
      await navigator.serviceWorker.register('/service-worker.js');
      await taken;
    })()`);
    await page.reload();
    assert.equal(await page.title(), 'by the service worker', 'the control: without a pin it answers');
    await servePinnedPage(page, pinned);
    await page.reload();
    assert.equal(await page.title(), 'pinned ü');
    await page.goto(`${origin}/?post_logout=1`);
    assert.equal(await page.title(), 'pinned ü');
  }));

test('the pinned page has a login that was put back', () =>
  withChromium(async ({ page }) => {
    await putBackLogin(page, { login: 'kept' });
    await servePinnedPage(page, pinned);
    await page.goto(`${origin}/`);
    assert.equal(await page.title(), 'pinned ü');
    assert.equal(await page.evaluate('localStorage.login'), 'kept');
    assert.deepEqual(documentsAsked(), []);
  }));

test('a pin does not delay the close of a page', () =>
  withChromium(async ({ page }) => {
    await servePinnedPage(page, pinned);
    const left = page.goto(`${origin}/`).catch(() => undefined);
    await page.close();
    await left;
  }));

test('the start page is read from the file of its version', async () => {
  const versions = join(dir, '.web-versions');
  mkdirSync(versions);
  writeFileSync(join(versions, '2.3000.1.html'), pinned);
  assert.equal(await readPinnedPage(versions, '2.3000.1'), pinned);
});

test('a missing version is one sentence with its path and the remedies', async () => {
  const versions = join(dir, 'elsewhere');
  await assert.rejects(readPinnedPage(versions, '2.3000.2'), {
    code: 'web_version_missing',
    message: `WHATSAPP_WEB_VERSION pins WhatsApp Web 2.3000.2, but its start page ${versions}/2.3000.2.html cannot be used (it is not there): copy it there from where it was kept, pin a version that npm run doctor lists, or unset WHATSAPP_WEB_VERSION`,
  });
  mkdirSync(join(versions, '2.3000.3.html'), { recursive: true });
  await assert.rejects(readPinnedPage(versions, '2.3000.3'), /EISDIR/);
  await assert.rejects(readPinnedPage(versions, '2.3000.3'), WebVersionError);
  writeFileSync(join(versions, '2.3000.4.html'), '\n');
  await assert.rejects(readPinnedPage(versions, '2.3000.4'), /\(it is empty\): copy/);
});

test('a page of another version is one sentence, and the exit reason is never counted', () => {
  assert.match(
    wrongVersionSentence('2.3000.2', '2.3000.9'),
    /^WHATSAPP_WEB_VERSION pins WhatsApp Web 2\.3000\.2, but version 2\.3000\.9 was loaded: .* or unset WHATSAPP_WEB_VERSION$/,
  );
  assert.match(wrongVersionSentence('2.3000.2', null), /but a page without a version was loaded/);
  assert.deepEqual(exitReasons.web_version_missing, {
    counted: false,
    delay: 'backoff',
    restartLevel: 'thread',
  });
});
