import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import puppeteer, { type Browser, type Page } from 'puppeteer';
import { eventually } from '../../support/eventually.js';
import { startWhatsAppWeb, type WhatsAppWeb } from '../../whatsapp-web/index.js';

/** The phone's page in a real browser, used by mouse and keyboard. */

const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let whatsAppWeb: WhatsAppWeb;
let browser: Browser;
let page: Page;

before(async () => {
  whatsAppWeb = await startWhatsAppWeb();
  browser = await puppeteer.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  });
  page = await browser.newPage();
  await page.setViewport({ width: 390, height: 844 });
  await page.goto(whatsAppWeb.controlUrl);
});

after(async () => {
  await browser.close();
  await whatsAppWeb.close();
});

const textOf = (selector: string) => page.$eval(selector, (element) => element.textContent ?? '');

async function says(selector: string, text: string): Promise<void> {
  await eventually(async () => (await textOf(selector)).includes(text), {
    message: `${selector} did not say "${text}"`,
  });
}

test('a message typed as another person is in their chat, and replies show their acknowledgement', async () => {
  const { phone } = whatsAppWeb;
  await page.locator('#from').fill('+1 555 100 0001');
  await page.locator('#body').fill('Is anybody there? 🙂');
  await page.keyboard.press('Enter');
  await says('#chats', 'Is anybody there? 🙂');
  await says('#chats .badge', '1 unread');

  await page.locator('#chats button').click();
  await says('#messages', 'Is anybody there? 🙂');
  await eventually(async () => (await phone.chats())[0]?.unreadCount === 0, {
    message: 'an open chat is read',
  });
  const { id } = await phone.send({ to: '15551000001', body: 'Yes.\nHere.' });
  await says('#messages .own', 'Yes.\nHere.');
  await says('#messages .own', '✓ sent');
  await phone.acknowledge(id, 3);
  await says('#messages .own', '✓✓ read');
  await page.locator('#back').click();
  await says('#chats', 'Yes.');
});

test('people are shown by their numbers, although pages use hidden ids', async () => {
  const group = '120363000000000001@g.us';
  await whatsAppWeb.phone.setChat(group, { name: 'Team', participants: ['15551000003'] });
  const { author } = await whatsAppWeb.phone.receive({ chat: group, from: '15551000003', body: 'to all' });
  assert.match(author ?? '', /@lid$/);
  await says('#chats', 'to all');
  await page.locator('#chats button').click();
  await says('#messages .author', '+15551000003');
  assert.equal(
    await page.$eval('#from', (input) => (input as unknown as { value: string }).value),
    '+15551000003',
  );
  await page.locator('#back').click();
  await says('#chats', 'to all');
});

test('refusals show beside the button', async () => {
  await page.locator('#code').fill('ABCD-1234');
  await page.keyboard.press('Enter');
  await says('#outcome', 'No page shows this code.');
  await page.locator('#from').fill('nobody');
  await page.locator('#body').fill('hello');
  await page.keyboard.press('Enter');
  await says('#written', 'neither a number nor an id');
  await says('section[aria-labelledby="devices-title"]', 'one account');
});

test('the page fits a phone and is accessible in light and dark, with a chat or the list open', async () => {
  await whatsAppWeb.phone.receive({ from: '15551000002', body: 'x'.repeat(300), name: 'Long' });
  await says('#chats', 'Long');
  assert.deepEqual(await violations('dark'), []);
  assert.deepEqual(await violations('light'), []);
  await page.locator('#chats button').click();
  await says('#messages', 'xxx');
  assert.deepEqual(await violations('light'), []);
  assert.deepEqual(await violations('dark'), []);
  assert.equal(
    await page.evaluate('document.documentElement.scrollWidth <= document.documentElement.clientWidth'),
    true,
  );
});

async function violations(scheme: 'light' | 'dark'): Promise<unknown> {
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  await page.evaluate(axeSource);
  return page.evaluate(
    'axe.run().then(({ violations }) => violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]))',
  );
}
