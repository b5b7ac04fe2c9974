import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import puppeteer, { type Browser, type Page } from 'puppeteer';
import { type Operation, operations } from '../../src/contract/operations.js';
import { sessionPathsTag } from '../../src/http/openapi/session-paths.js';
import { loadConfig } from '../../src/platform/config/config.js';
import { eventually } from '../support/eventually.js';
import { type Replica, startReplica } from '../support/http-replica.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';

/** Set to a directory to look at what was tested. */
const screenshots = process.env.SCREENSHOTS;

/** On a busy machine the page may take long for each step. */
const timeoutMs = 60_000;

/** Both schemes, a wide screen and a narrow one. */
const views = [
  { name: 'light', width: 1280, height: 900, scheme: 'light' },
  { name: 'phone-dark', width: 360, height: 667, scheme: 'dark' },
] as const;
type View = (typeof views)[number];

interface OpenedPage {
  readonly page: Page;
  /** What its console says, and its errors. */
  readonly complaints: readonly string[];
  /** The addresses that it asked. */
  readonly requests: readonly string[];
}

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
    describe(view.name, () => {
      let opened: OpenedPage;
      before(async () => {
        opened = await openPage(view);
      });
      afterEach(() => assertUndisturbed(opened));
      after(async () => {
        await saveScreenshot(opened, view.name);
        await opened.page.close();
      });

      it('shows every operation, from this server alone', async () => {
        const { page } = opened;
        assert.equal(await page.title(), 'API · Holdline');
        await eventually(() => assertEveryOperation(page));
        const links = await page.$$eval('.bar a', (all) =>
          all.map((link) => (link as { href?: string }).href),
        );
        assert.deepEqual(links, [`${replica.url}/qr`, `${replica.url}/openapi.json`]);
        await assertFits(page, view.width);
      });

      it('shows the sending of a message first', async () => {
        const [first] = await opened.page.$$eval('.opblock-summary-path', (all) =>
          all.map((path) => path.textContent),
        );
        assert.equal(first?.replaceAll('\u200b', ''), '/api/send');
      });

      it('fits with operations open', async () => {
        const { page } = opened;
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

      it('shows schemas and examples of an open operation, and tries one out', async () => {
        const { page } = opened;
        await eventually(async () => {
          const text = await page.$eval('#operations-Messages-send', (block) => block.textContent ?? '');
          assert.match(text, /Idempotency-Key/);
          assert.match(text, /idempotency_conflict/);
          return true;
        });
        await page.locator('#operations-Session-status .execute').click();
        const live = '#operations-Session-status .live-responses-table tbody .response-col_status';
        // Evaluated from outside: the content security policy forbids evaluating text inside the page.
        const status = await page.waitForSelector(live);
        assert.match((await status?.evaluate((cell) => cell.textContent)) ?? '', /200/);
      });
    });
  }

  it('has the operations of named sessions in a closed tag, which a link into it opens', async () => {
    const tag = `.opblock-tag[data-tag="${sessionPathsTag.name}"]`;
    const isOpen = (page: Page) =>
      page.$eval(tag, (heading) => heading.getAttribute('data-is-open') === 'true');
    const closed = await openPage(views[0]);
    assert.equal(await isOpen(closed.page), false);
    await closed.page.locator(tag).click();
    await eventually(() => isOpen(closed.page));
    await assertUndisturbed(closed);
    await closed.page.close();

    const linked = await openPage(views[0], `#/${encodeURIComponent(sessionPathsTag.name)}/sendOfSession`);
    const block = '.opblock.is-open .responses-table .response';
    await linked.page.waitForSelector(block);
    assert.equal(await isOpen(linked.page), true);
    await assertUndisturbed(linked);
    await linked.page.close();
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

  async function openPage({ width, height, scheme }: View, hash = ''): Promise<OpenedPage> {
    const page = await browser.newPage();
    page.setDefaultTimeout(timeoutMs);
    const complaints = complaintsOf(page);
    const requests: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    await page.setViewport({ width, height });
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    const response = await page.goto(`${replica.url}/docs${hash}`);
    assert.equal(response?.status(), 200);
    await page.waitForSelector('.opblock-summary');
    return { page, complaints, requests };
  }

  function assertUndisturbed({ complaints, requests }: OpenedPage): void {
    const foreign = requests.filter((url) => !url.startsWith(`${replica.url}/`) && !url.startsWith('data:'));
    assert.deepEqual(foreign, [], 'asks no other server');
    assert.deepEqual(complaints, [], 'nothing is blocked or broken');
  }
});

async function saveScreenshot({ page }: OpenedPage, name: string): Promise<void> {
  if (screenshots === undefined) return;
  await writeFile(join(screenshots, `docs-${name}.png`), await page.screenshot({ fullPage: true }));
}

/** The page does not scroll sideways. A wide example does so by itself. */
async function assertFits(page: Page, width: number): Promise<void> {
  const scrollWidth = await page.$eval('html', (root) => root.scrollWidth);
  if (scrollWidth <= width) return;
  const wide = await page.$$eval(
    '#swagger-ui *',
    (all, most) =>
      all
        .filter((element) => element.getBoundingClientRect().right > most + 1)
        .map(({ tagName, className }) => `${tagName}.${className}`),
    width,
  );
  assert.fail(`${scrollWidth} px wide: ${wide.slice(0, 40).join(' ')}`);
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
