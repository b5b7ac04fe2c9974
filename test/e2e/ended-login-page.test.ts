import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { Redis } from 'ioredis';
import puppeteer, { type Browser, type BrowserContext, type Page } from 'puppeteer';
import { loadConfig } from '../../src/platform/config/config.js';
import { claimToWrite, type EventWriter } from '../support/event-writer.js';
import { eventually } from '../support/eventually.js';
import { type KeyedReplica, makeKeys, startKeyedReplica } from '../support/keyed-replica.js';
import { textOf } from '../support/page-reading.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';

/** A page that follows the session says when its login or QR link has ended. */
const keys = makeKeys();
const timeoutMs = 20_000;
let server: RedisServer;
let redis: Redis;
let replica: KeyedReplica;
let browser: Browser;
let context: BrowserContext;
let writer: EventWriter;

before(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
  replica = await startKeyedReplica(server.url, keys);
  browser = await puppeteer.launch({
    executablePath: loadConfig('all', { PATH: process.env.PATH }).chromeExecutable,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'],
  });
  writer = await claimToWrite(redis);
  await writer.publish({ state: 'starting' });
});
afterEach(() => context.close());
after(async () => {
  await browser.close();
  await replica.close();
  redis.disconnect();
  await server.stop();
});

/** A page that follows `/qr` with the cookie of a login or of a guest. */
async function follow(cookie: string): Promise<Page> {
  context = await browser.createBrowserContext();
  const page = await context.newPage();
  const [name = '', value = ''] = cookie.split('=');
  await context.setCookie({ name, value, domain: '127.0.0.1', path: '/' });
  await page.goto(`${replica.url}/qr`);
  await eventually(async () => (await textOf(page, '.live')).startsWith('This page updates itself'), {
    timeoutMs,
  });
  return page;
}

async function alertOn(page: Page): Promise<string> {
  await page.waitForSelector('[role=alert]', { timeout: timeoutMs });
  const { SCREENSHOTS } = process.env;
  if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/${Date.now()}.png` });
  return textOf(page, '[role=alert]');
}

test('a sign-out elsewhere leads the page to the login form, which says that the login has ended', async () => {
  const cookie = await replica.cookieOf(keys.key.admin);
  const page = await follow(cookie);
  await replica.post('/signout', { redirect: 'manual', headers: { cookie, origin: replica.url } });
  assert.match(
    await alertOn(page),
    /^Your login has ended: you signed out, it expired after 12 hours, or its key was removed\./,
  );
  assert.match(page.url(), /\/login\?next=qr&ended=login$/);
  // The next login leads back to the same page.
  await page.type('#key', keys.key.admin);
  await Promise.all([page.waitForNavigation(), page.click('button')]);
  assert.equal(page.url(), `${replica.url}/qr`);
});

test('a page of a QR link that has ended says so, without scripts too', async () => {
  const page = await follow(await replica.guestCookie());
  for (const name of await redis.keys('{wa}:qr-visit:*')) await redis.pexpire(name, 50);
  assert.match(
    await alertOn(page),
    /^Your QR link has ended: .* Ask the person who sent it for another one\.$/,
  );
  await page.setJavaScriptEnabled(false);
  await page.goto(`${replica.url}/qr`);
  assert.match(await alertOn(page), /^Your QR link has ended/);
});

test('control: a browser without a login sees the plain login form', async () => {
  context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.goto(`${replica.url}/qr`);
  assert.equal(page.url(), `${replica.url}/login?next=qr`);
  assert.equal(await page.$('[role=alert]'), null);
});
