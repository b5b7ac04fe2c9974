import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { Redis } from 'ioredis';
import puppeteer, { type Browser, type Page } from 'puppeteer';
import { loadConfig } from '../../src/platform/config/config.js';
import { type Deferred, deferred } from '../../src/platform/deadline.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { type Replica, startReplica } from '../support/http-replica.js';
import { readFromScreen, textOf } from '../support/page-reading.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { type Script, type ScriptedOwner, startOwner } from '../support/scripted-owner.js';

/** The page follows a session without any action of its user. */
const account = { wid: '491511234567@c.us', pushname: 'Ada', platform: 'android' };
let server: RedisServer;
let redis: Redis;
let replica: Replica;
let browser: Browser;
let owner: ScriptedOwner;
let page: Page;
/** Each promise lets the session take its next step. */
let steps: Deferred<void>[];
/** How long the first code lasts if it is not replaced. */
const codeLifeS = 60;
/** Only a limit: the requests and the text of the page show how it follows. */
const timeoutMs = 20_000;

before(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
  // A port that no other process gets while the server is gone.
  replica = await startReplica(server.url, { environment: { WHATSAPP_MCP_PORT: String(await freePort()) } });
  browser = await puppeteer.launch({
    executablePath: loadConfig('all', { PATH: process.env.PATH }).chromeExecutable,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'],
  });
});
afterEach(async () => {
  for (const step of steps) step.resolve();
  await page.close();
  await owner.close();
  await redis.flushall();
});
after(async () => {
  await browser.close();
  await replica.close();
  redis.disconnect();
  await server.stop();
});

/**
 * Opens a page that shows the first code. The session's further steps: a second code, a passkey request, a third code,
 * linked, ready.
 */
async function showFirstCode(prepare: (page: Page) => Promise<unknown> = async () => {}): Promise<void> {
  steps = [deferred(), deferred(), deferred(), deferred(), deferred()];
  const [second, passkey, third, linking, ready] = steps.map(({ promise }) => promise);
  const script: Script = async (run) => {
    await run.publish('qr', { qrText: 'the first code', expiresInMs: 1_000 * codeLifeS });
    await second;
    await run.publish('qr', { qrText: 'the second code', qrNumber: 2 });
    await passkey;
    await run.publish('passkey_required', { lastError: 'WhatsApp asks for a passkey' });
    await third;
    await run.publish('qr', { qrText: 'the third code', qrNumber: 3 });
    await linking;
    await run.publish('authenticated', { account });
    await ready;
    await run.publish('ready', { account });
    await run.end('stopped', { intent: await run.intent });
  };
  // This process reads codes from screenshots: the heartbeat must outlast that.
  owner = await startOwner(server.url, script, 30_000);
  await replica.post('/api/auth/start');
  await eventually(async () => (await replica.status()).has_qr, { timeoutMs });
  page = await browser.newPage();
  await prepare(page);
  await page.goto(`${replica.url}/qr`);
  await untilScreenShows('the first code');
}

/** Looks again when the page reloads during a look. */
async function untilScreenShows(code: string): Promise<void> {
  await eventually(async () => (await readFromScreen(page)) === code, { timeoutMs, message: code });
}

/** Takes the session through its steps and checks what the page shows. */
async function followToReady(): Promise<void> {
  const [second, passkey, third, linking, ready] = steps;
  second?.resolve();
  await untilScreenShows('the second code');
  passkey?.resolve();
  await eventually(
    async () => {
      assert.match(await textOf(page, '[role=status]'), /passkey_required/);
      assert.match(await textOf(page, 'h1'), /WhatsApp asks for a passkey/);
      assert.equal(await page.$('img'), null);
      return true;
    },
    { timeoutMs },
  );
  third?.resolve();
  await untilScreenShows('the third code');
  linking?.resolve();
  await eventually(
    async () => {
      assert.match(await textOf(page, '[role=status]'), /authenticated/);
      assert.equal(await page.$('img'), null);
      return true;
    },
    { timeoutMs },
  );
  ready?.resolve();
  await eventually(async () => (await textOf(page, 'h1')) === 'Linked as Ada', { timeoutMs });
}

test('with scripts the page changes in place and never reloads', async () => {
  const documents: string[] = [];
  await showFirstCode(async (opened) => {
    opened.on('request', (request) => request.resourceType() === 'document' && documents.push(request.url()));
  });
  const status = await page.$('[role=status]');
  const follows = async () => (await textOf(page, '.live')).startsWith('This page updates itself');
  await eventually(follows, { timeoutMs });
  await followToReady();
  // It neither reloaded nor polled: the events changed it.
  assert.equal(documents.length, 1);
  assert.ok(await follows());
  assert.equal(await page.title(), 'Linked as Ada · Holdline');
  // It is still the same element, so a screen reader announces each of its changes.
  assert.match(await (status as NonNullable<typeof status>).evaluate((p) => p.textContent ?? ''), /ready/);
});

test('without scripts the page reloads every five seconds', async () => {
  await showFirstCode((opened) => opened.setJavaScriptEnabled(false));
  await eventually(async () => (await page.$('meta[http-equiv=refresh][content="5"]')) !== null);
  await followToReady();
});

test('the page counts down the seconds that a code will last', async () => {
  await showFirstCode();
  const secondsLeft = async () => Number(/in (\d+) s/.exec(await textOf(page, '.code'))?.[1]);
  const atFirst = await secondsLeft();
  assert.ok(atFirst > 5 && atFirst <= codeLifeS, String(atFirst));
  await eventually(async () => (await secondsLeft()) < atFirst - 1, { timeoutMs });
});

test('without an event stream the page polls every five seconds', async () => {
  await showFirstCode(async (opened) => {
    await opened.setRequestInterception(true);
    opened.on('request', (request) => {
      const isStream = request.url().includes('/api/events');
      void (isStream ? request.abort() : request.continue()).catch(() => undefined);
    });
  });
  await followToReady();
  assert.equal(await textOf(page, '.live'), 'This page looks for changes every 5 seconds.');
});

test('the page says when the server is gone, and continues when it is back', async () => {
  await showFirstCode();
  const { port } = replica;
  await replica.close();
  await eventually(async () => (await textOf(page, '.live')).startsWith('This server does not answer'), {
    timeoutMs,
  });
  replica = await startReplica(server.url, { environment: { WHATSAPP_MCP_PORT: String(port) } });
  await followToReady();
});
