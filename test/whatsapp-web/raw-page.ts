import puppeteer, { type Browser, type Page } from 'puppeteer';
import { eventually } from '../support/eventually.js';
import type { WhatsAppWeb } from './server.js';

/** The stand-in's page in Chromium, without whatsapp-web.js: asked by scripts, as text. */

export function startBrowser(whatsAppWeb: WhatsAppWeb): Promise<Browser> {
  return puppeteer.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      ...whatsAppWeb.chromeArgs,
    ],
  });
}

/** With storage of its own, so that it is not linked. */
export async function openPage(browser: Browser): Promise<Page> {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await load(page);
  return page;
}

/** Loads the page, or loads it again. */
export async function load(page: Page): Promise<void> {
  await page.goto('https://web.whatsapp.com/');
  await page.waitForFunction('window.Debug?.VERSION !== undefined');
}

/** Leaves it, and waits until the server knows: what it showed cannot be taken for what the next one shows. */
export async function closePage({ phone }: WhatsAppWeb, page: Page): Promise<void> {
  await page.browserContext().close();
  await eventually(async () => (await phone.state()).pagesNow === 0, { message: 'the page is not gone' });
}

/** Scans its own QR code and waits until it has synced. */
export async function logIn({ phone }: WhatsAppWeb, page: Page): Promise<void> {
  const isLinked = async () => {
    const shown = await inPage<string | undefined>(page, "r('WAWebConnModel').Conn.ref");
    const issued = (await phone.state()).refs.find(({ ref }) => ref === shown);
    return issued !== undefined && (await phone.scan(issued.qr)).linked;
  };
  await eventually(isLinked, { message: 'no QR code' });
  await untilSynced(page);
}

export async function untilSynced(page: Page): Promise<void> {
  await page.waitForFunction('window.require("WAWebSocketModel").Socket.hasSynced === true');
}

/** What the script's last expression comes to; `r` is the page's `require`. A promise is awaited, a rejection thrown. */
export async function inPage<T>(page: Page, expression: string): Promise<T> {
  return (await page.evaluate(`(async (r) => ${expression})(window.require)`)) as T;
}
