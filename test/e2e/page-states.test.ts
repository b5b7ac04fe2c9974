import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import puppeteer, { type Browser } from 'puppeteer';
import { htmlType } from '../../src/http/core/responses.js';
import { pageHeaders } from '../../src/http/pages/layout.js';
import { loadConfig } from '../../src/platform/config/config.js';
import { pageStates, qrText } from '../pages/states.js';
import { axeViolations, readFromScreen } from '../support/page-reading.js';

/** Set to a directory to look at what was tested. */
const screenshots = process.env.SCREENSHOTS;

/** Both schemes, and both widths. */
const views = [
  { name: 'phone', width: 360, height: 740, scheme: 'light' },
  { name: 'wide', width: 1280, height: 900, scheme: 'dark' },
] as const;

describe('every page in every state', async () => {
  const pages = await pageStates();
  const server = createServer((request, response) => {
    const page = pages.get((request.url ?? '').slice(1));
    response.writeHead(page === undefined ? 404 : 200, { ...pageHeaders, 'content-type': htmlType });
    response.end(page);
  });
  let browser: Browser;
  let url: string;

  before(async () => {
    if (screenshots !== undefined) await mkdir(screenshots, { recursive: true });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await puppeteer.launch({
      executablePath: loadConfig('all', { PATH: process.env.PATH }).chromeExecutable,
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'],
    });
  });
  after(async () => {
    await browser.close();
    server.closeAllConnections();
    server.close();
  });

  for (const view of views) {
    it(`is accessible and fits, ${view.name}`, async () => {
      const page = await browser.newPage();
      const { width, height, scheme } = view;
      await page.setViewport({ width, height, deviceScaleFactor: width < 500 ? 2 : 1 });
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      for (const [name, text] of pages) {
        await page.goto(`${url}/${name}`);
        // What is folded away counts too.
        await page.$$eval('details', (all) => {
          for (const each of all) (each as { open?: boolean }).open = true;
        });
        if (screenshots !== undefined) {
          const file = `${view.name}-${name.replace('/', '-')}.png`;
          await writeFile(join(screenshots, file), await page.screenshot({ fullPage: true }));
        }
        assert.deepEqual(await axeViolations(page), [], name);
        assert.equal(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), true, name);
        const lines = `[...document.querySelectorAll('.path')].map((path) => {
          const range = document.createRange();
          range.selectNodeContents(path);
          const card = document.querySelector('main').getBoundingClientRect();
          return range.getClientRects().length === 1 && range.getBoundingClientRect().right <= card.right;
        })`;
        assert.ok(!((await page.evaluate(lines)) as boolean[]).includes(false), `the path breaks: ${name}`);
        if (text.includes('<img')) assert.equal(await readFromScreen(page), qrText, `${name} can be scanned`);
      }
      await page.close();
    });
  }
});
