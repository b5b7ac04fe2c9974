import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import puppeteer, { type Browser, type Page } from 'puppeteer';
import { loadConfig } from '../../src/platform/config/config.js';
import { eventually } from '../support/eventually.js';
import { textOf } from '../support/page-reading.js';
import type { Product } from '../support/product.js';
import { Stage } from '../support/stage.js';

/** A person links, unlinks and links again with the forms of `/qr` alone, in a browser without scripts. */
let stage: Stage;
let product: Product;
let browser: Browser;
let page: Page;
let url: string;

before(async () => {
  stage = await Stage.open();
  product = stage.start('all');
  await product.status();
  browser = await puppeteer.launch({
    executablePath: loadConfig('all', { PATH: process.env.PATH }).chromeExecutable,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'],
  });
  page = await browser.newPage();
  await page.setJavaScriptEnabled(false);
  url = `${await product.url()}/qr`;
  await product.runs();
  await page.goto(url);
});
after(async () => {
  await browser.close();
  await stage.close();
});

/** `/qr` reloads every five seconds, even during a look or a press. */
async function untilHeading(heading: RegExp): Promise<void> {
  const isShown = async () => heading.test(await textOf(page, 'h1'));
  await eventually(isShown, { timeoutMs: 60_000, message: String(heading) });
}

async function press(selector: string): Promise<void> {
  await page.waitForSelector(selector, { timeout: 60_000 });
  await Promise.all([page.waitForNavigation({ timeout: 60_000 }), page.click(selector)]);
}

test('Start leads to a code', async () => {
  await untilHeading(/^Not running$/);
  await press('button[value=start]');
  await untilHeading(/^Scan this code$/);
  assert.equal(page.url(), url);
  assert.notEqual(await page.$('img'), null);
});

test('a number that WhatsApp cannot have is refused beside what was typed, and a good one leads to a code to type', async () => {
  await press('a[href="qr-form?do=code"]');
  await page.type('#phone', '+1 555');
  await press('button[value=code]');
  assert.match(await textOf(page, '[role=alert]'), /contain 8-15 digits/);
  assert.equal(await page.$eval('#phone', (input) => (input as { value?: string }).value), '+1 555');
  await page.click('#phone', { count: 3 });
  await page.type('#phone', '+1 555 000 1111');
  await press('button[value=code]');
  await untilHeading(/^Enter this code on the phone$/);
  const code = (await textOf(page, '.typed')).replace(/\W/g, '');
  assert.match(code, /^[A-Z0-9]{8}$/);
  assert.match(await textOf(page, '#now'), /\+15550001111/);
  assert.match(await textOf(page, '.code'), /Expires in \d+ s/);
  assert.equal((await stage.whatsApp.phone.enterCode(code)).linked, true);
  await product.until((s) => s.ready, 'ready by code');
  await untilHeading(/^Linked as /);
});

test('Log out asks once more, unlinks the phone and says so', async () => {
  await press('a[href="qr-form?do=logout"]');
  assert.match(await textOf(page, 'main'), /unlinks the phone and deletes the login/);
  await press('button[value=logout]');
  await untilHeading(/^Not running$/);
  assert.match(await textOf(page, '#now'), /the phone no longer lists this device/);
  assert.equal((await product.status()).account, null);
});

test('after an unlink on the phone the page says why it shows a new code', async () => {
  await press('button[value=start]');
  await untilHeading(/^Scan this code$/);
  await eventually(async () => (await stage.whatsApp.phone.scanCurrent()).linked);
  await product.until((s) => s.ready, 'ready by QR');
  await stage.whatsApp.phone.unlink();
  await product.until((s) => s.has_qr, 'a QR after the unlink');
  await page.goto(url);
  await untilHeading(/^Scan this code$/);
  assert.match(await textOf(page, '#now'), /Why a new code is needed: the device was unlinked on the phone/);
  await eventually(async () => (await stage.whatsApp.phone.scanCurrent()).linked);
  await product.until((s) => s.ready, 'ready again');
  assert.doesNotMatch(await (await product.get('/qr')).text(), /Why a new code is needed/);
});
