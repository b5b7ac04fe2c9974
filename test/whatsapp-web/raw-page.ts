import puppeteer, { type Browser, type Page } from 'puppeteer';
import { eventually } from '../support/eventually.js';
import type { WhatsAppWeb } from './server.js';

/** The stand-in's page in Chromium without whatsapp-web.js. Tests run scripts in it, given as text. */

/** Starts Chromium with the arguments of the stand-in. `headlessShell`: the program of the old headless Chromium, to be used instead. */
export function startBrowser(
  { chromeArgs }: { readonly chromeArgs: readonly string[] },
  { headlessShell, profile }: { headlessShell?: string | undefined; profile?: string } = {},
): Promise<Browser> {
  return puppeteer.launch({
    executablePath: headlessShell ?? '/usr/bin/chromium',
    headless: headlessShell === undefined ? true : 'shell',
    ...(profile === undefined ? {} : { userDataDir: profile }),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      ...chromeArgs,
    ],
  });
}

/** Opens the page in a new browser context, so that it is not linked. */
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

/** Closes the page and waits until the server knows, so that its QR code is not taken for that of the next page. */
export async function closePage({ phone }: WhatsAppWeb, page: Page): Promise<void> {
  await page.browserContext().close();
  await eventually(async () => (await phone.state()).pagesNow === 0, { message: 'the page stays connected' });
}

/** Scans the page's QR code and waits until the page has synced. */
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

/** The value of the expression, in which `r` is the page's `require`. A promise is awaited; a rejection is thrown. */
export async function inPage<T>(page: Page, expression: string): Promise<T> {
  return (await page.evaluate(`(async (r) => ${expression})(window.require)`)) as T;
}
