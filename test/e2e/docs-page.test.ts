import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import puppeteer, { type Browser, type Page } from 'puppeteer';
import { type Operation, operations } from '../../src/contract/operations.js';
import { loadConfig } from '../../src/platform/config/config.js';
import { eventually } from '../support/eventually.js';
import { type Replica, startReplica } from '../support/http-replica.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';

/** Set to a directory to look at what was tested. */
const screenshots = process.env.SCREENSHOTS;

/** Both schemes, a wide screen and a narrow one. */
const views = [
  { name: 'light', width: 1280, height: 900, scheme: 'light' },
  { name: 'phone-dark', width: 360, height: 667, scheme: 'dark' },
] as const;

describe('the /docs page in a browser', () => {
  let server: RedisServer;
  let replica: Replica;
  let browser: Browser;

  before(async () => {
    if (screenshots !== undefined) await mkdir(screenshots, { recursive: true });
    server = await startRedis();
    replica = await startReplica(server.url);
    browser = await puppeteer.launch({
      executablePath: loadConfig('all', { PATH: process.env.PATH }).chromeExecutable,
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'],
    });
  });
  after(async () => {
    await browser.close();
    await replica.close();
    await server.stop();
  });

  for (const view of views) {
    it(`shows every operation, from this server alone: ${view.name}`, async () => {
      await look(view, async (page) => {
        assert.equal(await page.title(), 'API · Holdline');
        await eventually(() => assertEveryOperation(page));
        const links = await page.$$eval('.bar a', (all) =>
          all.map((link) => (link as { href?: string }).href),
        );
        assert.deepEqual(links, [`${replica.url}/qr`, `${replica.url}/openapi.json`]);
        await assertFits(page, view.width);
      });
    });

    it(`fits with operations open: ${view.name}`, async () => {
      await look(view, async (page) => {
        for (const block of [
          'Messages-send',
          'Messages-job',
          'Session-status',
          'Events-events',
          'About-mcp',
        ]) {
          const id = `#operations-${block}`;
          await page.locator(`${id} .opblock-summary-control`).click();
          await page.waitForSelector(`${id} .responses-table .response`);
          await page.locator(`${id} .try-out__btn`).click();
          await page.waitForSelector(`${id} .execute`);
          await assertFits(page, view.width);
        }
      });
    });
  }

  it('shows the sending of a message first', async () => {
    await look(views[0], async (page) => {
      const paths = await page.$$eval('.opblock-summary-path', (all) => all.map((path) => path.textContent));
      assert.equal(paths[0]?.replaceAll('\u200b', ''), '/api/send');
    });
  });

  it('opens an operation with its schemas and examples, and tries it out', async () => {
    await look(views[0], async (page) => {
      await page.locator('#operations-Messages-send .opblock-summary-control').click();
      await page.waitForSelector('#operations-Messages-send .responses-table .response');
      await eventually(async () => {
        const text = await page.$eval('#operations-Messages-send', (block) => block.textContent ?? '');
        assert.match(text, /Idempotency-Key/);
        assert.match(text, /idempotency_conflict/);
        return true;
      });
      await page.locator('#operations-Session-status .opblock-summary-control').click();
      for (const button of ['.try-out__btn', '.execute']) {
        await page.locator(`#operations-Session-status ${button}`).click();
      }
      const live = '#operations-Session-status .live-responses-table tbody .response-col_status';
      // Evaluated from outside: the content security policy forbids evaluating text inside the page.
      const status = await page.waitForSelector(live, { timeout: 60_000 });
      assert.match((await status?.evaluate((cell) => cell.textContent)) ?? '', /200/);
    });
  });

  it('reports a violation of its content security policy: the control', async () => {
    const page = await browser.newPage();
    try {
      const complaints = complaintsOf(page);
      await page.goto(`${replica.url}/docs`);
      await page.evaluate(
        `document.body.append(Object.assign(document.createElement('script'), { text: '1' }))`,
      );
      await eventually(() => /Content Security Policy/.test(complaints.join('\n')));
    } finally {
      await page.close();
    }
  });

  async function look(
    { width, height, scheme, name }: (typeof views)[number],
    check: (page: Page) => Promise<void>,
  ): Promise<void> {
    const page = await browser.newPage();
    const complaints = complaintsOf(page);
    const requests: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    try {
      await page.setViewport({ width, height });
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      const response = await page.goto(`${replica.url}/docs`);
      assert.equal(response?.status(), 200);
      await page.waitForSelector('.opblock-summary', { timeout: 60_000 });
      await check(page);
      if (screenshots !== undefined) {
        const file = join(screenshots, `docs-${name}-${requests.length}.png`);
        await writeFile(file, await page.screenshot({ fullPage: true }));
      }
      const foreign = requests.filter(
        (url) => !url.startsWith(`${replica.url}/`) && !url.startsWith('data:'),
      );
      assert.deepEqual(foreign, [], 'asks no other server');
      assert.deepEqual(complaints, [], 'nothing is blocked or broken');
    } finally {
      await page.close();
    }
  }
});

/** The page does not scroll sideways. A wide example does so by itself. */
async function assertFits(page: Page, width: number): Promise<void> {
  const scrollWidth = await page.$eval('html', (root) => root.scrollWidth);
  const wide = await page.$$eval(
    '#swagger-ui *',
    (all, most) =>
      all
        .filter((element) => element.getBoundingClientRect().right > most + 1)
        .map(({ tagName, className }) => `${tagName}.${className}`),
    width,
  );
  assert.ok(scrollWidth <= width, `${scrollWidth} px wide: ${wide.slice(0, 40).join(' ')}`);
}

async function assertEveryOperation(page: Page): Promise<true> {
  const shown = await page.$$eval('.opblock-summary', (blocks) =>
    blocks.map((block) => block.textContent?.replaceAll('\u200b', '') ?? ''),
  );
  for (const { routes, summary } of Object.values(operations) as Operation[]) {
    for (const { method, path } of routes) {
      assert.ok(
        shown.some((text) => text.startsWith(method + path) && text.includes(summary)),
        `${method} ${path} in ${shown.join('\n')}`,
      );
    }
  }
  return true;
}

function complaintsOf(page: Page): string[] {
  const complaints: string[] = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  return complaints;
}
