import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import axe from 'axe-core';
import puppeteer, { type Browser, type BrowserContext, type Page } from 'puppeteer';
import { loadConfig } from '../../src/platform/config/config.js';
import { eventually } from '../support/eventually.js';
import { type HeldSession, holdSession, linkedAccount } from '../support/held-session.js';
import { type KeyedReplica, makeKeys, startKeyedReplica } from '../support/keyed-replica.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';

/** Set to a directory to look at what was tested. */
const screenshots = process.env.SCREENSHOTS;

/** Both schemes, the widest and the narrowest. */
const views = [
  { name: 'light', width: 1280, height: 900, scheme: 'light' },
  { name: 'small-phone-dark', width: 320, height: 568, scheme: 'dark' },
] as const;

describe('the login and QR link pages in a browser', () => {
  const keys = makeKeys();
  let server: RedisServer;
  let replica: KeyedReplica;
  let session: HeldSession;
  let browser: Browser;
  /** Each has its own cookies. */
  let context: BrowserContext;

  before(async () => {
    if (screenshots !== undefined) await mkdir(screenshots, { recursive: true });
    server = await startRedis();
    replica = await startKeyedReplica(server.url, keys);
    session = await holdSession(server.url, replica.asAdmin, 30_000);
    await session.run.publish('qr', { qrText: 'a code' });
    browser = await puppeteer.launch({
      executablePath: loadConfig('all', { PATH: process.env.PATH }).chromeExecutable,
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'],
    });
    context = await browser.createBrowserContext();
  });
  after(async () => {
    await browser.close();
    await session.close();
    await replica.close();
    await server.stop();
  });

  it('work without scripts: a person mistypes the key, logs in, sees the code and signs out', async () => {
    await withPage(async (page) => {
      await page.setJavaScriptEnabled(false);
      await page.goto(`${replica.url}/qr`);
      assert.equal(page.url(), `${replica.url}/login?next=qr`);
      await submit(page, 'holdline_wrong');
      assert.match(await text(page, '[role=alert]'), /not known here/);
      const fields = await Promise.all((await page.$$('input')).map((field) => field.isVisible()));
      assert.deepEqual(fields, [false, true], 'one field to fill in');
      await submit(page, keys.key.admin);
      assert.equal(page.url(), `${replica.url}/qr`);
      // From here on the page reloads every five seconds, even in the middle of a look or a press.
      await eventually(async () => {
        assert.match(await text(page, 'h1'), /Scan this code/);
        assert.deepEqual(await page.evaluate('document.cookie'), '', 'no script can read the cookie');
        return true;
      });
      await eventually(async () => {
        if (page.url() === `${replica.url}/qr`) await press(page);
        return page.url() === `${replica.url}/login`;
      });
      await page.goto(`${replica.url}/qr`);
      assert.equal(page.url(), `${replica.url}/login?next=qr`);
    });
  });

  it('show a guest with a QR link the code after a press of the button, and then that the account is linked', async () => {
    const link = replica.url + (await replica.qrLink());
    await withPage(async (page) => {
      await page.setJavaScriptEnabled(false);
      await page.goto(link);
      assert.equal(await page.$('img'), null);
      await press(page);
      assert.equal(page.url(), `${replica.url}/qr`);
      await eventually(async () => {
        assert.notEqual(await page.$('img'), null);
        assert.equal(await page.$('form'), null, 'the page offers nothing else');
        return true;
      });
      await session.run.publish('ready', { account: linkedAccount });
      const linked = async () => (/^Linked$/.test(await text(page, 'h1')) ? page.content() : null);
      assert.ok(!(await eventually(linked, { timeoutMs: 30_000 }))?.includes('Ada'));
    });
    await session.run.publish('qr', { qrText: 'a code' });
  });

  it('do not lend the login to a page of another port, whatever request that page makes', async () => {
    await withPage(async (page) => {
      await page.goto(`${replica.url}/login?next=qr`);
      await submit(page, keys.key.admin);
      // To a browser, another port of the same host is the same site: it sends the cookie along.
      const elsewhere = await startKeyedReplica(server.url, keys, {
        environment: { WHATSAPP_ALLOWED_ORIGINS: '' },
      });
      try {
        const requests: { url: string; status: number }[] = [];
        await page.goto(`${elsewhere.url}/livez`);
        page.on('response', (r) => requests.push({ url: r.url(), status: r.status() }));
        await page
          .evaluate(`(async () => {
          const target = ${JSON.stringify(replica.url)};
          const tries = ['/api/stop', '/api/logout', '/api/qr-links', '/signout'];
          await Promise.allSettled(tries.map((path) =>
            fetch(target + path, { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{}' })));
          await Promise.allSettled(['/qr', '/api/status'].map((path) =>
            fetch(target + path, { mode: 'no-cors', credentials: 'include' })));
        })()`)
          .catch(() => undefined);
        const reached = requests.filter(({ url, status }) => /api|signout/.test(url) && status < 400);
        assert.deepEqual(reached, []);
        await page.goto(`${replica.url}/qr`);
        assert.match(await text(page, 'h1'), /Scan this code/, 'still logged in, still running');
      } finally {
        await elsewhere.close();
      }
    });
  });

  for (const [name, path, heading, status] of [
    ['login', '/login', /^Log in$/, 200],
    ['link', '', /^Link a phone$/, 200],
    ['link-gone', `/link/${'x'.repeat(43)}`, /^This link does not work$/, 404],
  ] as const) {
    it(`are accessible on every screen: ${name}`, async () => {
      for (const view of views) await look(name, path || (await replica.qrLink()), view, heading, status);
    });
  }

  it('are accessible on every screen: to a logged-in user and to a guest', async () => {
    for (const view of views) {
      await look('login-wrong', '/login', view, /^Log in$/, 401, (page) => submit(page, 'holdline_wrong'));
      await look('qr-logged-in', '/login', view, /^Scan this code$/, 200, (page) =>
        submit(page, keys.key.admin),
      );
      await look('qr-forbidden', '/login', view, /does not allow/, 403, (page) =>
        submit(page, keys.key.read),
      );
      await look('qr-visitor', await replica.qrLink(), view, /^Scan this code$/, 200, press);
    }
  });

  it('ask for a key on /docs too, where the login can try an operation out', async () => {
    await withPage(async (page) => {
      const complaints = complaintsOf(page);
      await page.goto(`${replica.url}/docs`);
      assert.equal(page.url(), `${replica.url}/login?next=docs`);
      await submit(page, keys.key.admin);
      await page.waitForSelector('.opblock-summary', { timeout: 60_000 });
      await page.locator('#operations-Session-status .opblock-summary-control').click();
      for (const button of ['.try-out__btn', '.execute']) {
        await page.locator(`#operations-Session-status ${button}`).click();
      }
      const live = '#operations-Session-status .live-responses-table tbody .response-col_status';
      const status = await page.waitForSelector(live, { timeout: 60_000 });
      assert.match((await status?.evaluate((cell) => cell.textContent)) ?? '', /200/);
      assert.deepEqual(complaints, []);
    });
  });

  async function withPage(use: (page: Page) => Promise<void>): Promise<void> {
    context = await browser.createBrowserContext();
    const page = await context.newPage();
    try {
      await use(page);
    } finally {
      await context.close();
    }
  }

  async function look(
    name: string,
    path: string,
    { width, height, scheme, ...view }: (typeof views)[number],
    heading: RegExp,
    expectedStatus: number,
    act: (page: Page) => Promise<void> = async () => undefined,
  ): Promise<void> {
    await withPage(async (page) => {
      const complaints = complaintsOf(page);
      const requests: string[] = [];
      let status = 0;
      page.on('request', (request) => requests.push(request.url()));
      page.on('response', (response) => {
        status = response.status();
      });
      await page.setViewport({ width, height, deviceScaleFactor: width < 500 ? 2 : 1 });
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      await page.goto(replica.url + path);
      await act(page);
      await page.evaluate('window.stop()');
      assert.match(await text(page, 'h1'), heading);
      assert.equal(status, expectedStatus);
      if (screenshots !== undefined) {
        const png = await page.screenshot({ fullPage: true });
        await writeFile(join(screenshots, `${name}-${view.name}.png`), png);
      }
      await page.evaluate(axe.source);
      const { violations } = (await page.evaluate(
        `axe.run({ rules: { 'meta-refresh': { enabled: false } } })`,
      )) as axe.AxeResults;
      assert.deepEqual(
        violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`),
        [],
      );
      assert.equal(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), true, 'fits');
      assert.ok(
        requests.every((url) => url.startsWith(`${replica.url}/`) || url.startsWith('data:')),
        'asks no other server',
      );
      const unexpected = complaints.filter((complaint) => !complaint.includes(`status of ${expectedStatus}`));
      assert.deepEqual(unexpected, [], 'nothing is blocked or broken');
    });
  }
});

async function submit(page: Page, key: string): Promise<void> {
  await page.type('#key', key);
  await press(page);
}

/** The page's one button. */
async function press(page: Page): Promise<void> {
  await Promise.all([page.waitForNavigation(), page.click('button')]);
}

async function text(page: Page, selector: string): Promise<string> {
  const content = await page.$eval(selector, (element) => (element as { textContent?: string }).textContent);
  return (content ?? '').replaceAll(/\s+/g, ' ').trim();
}

function complaintsOf(page: Page): string[] {
  const complaints: string[] = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  return complaints;
}
