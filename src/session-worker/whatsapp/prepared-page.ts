import { createRequire } from 'node:module';
import type { MessagePort } from 'node:worker_threads';
import type puppeteer from 'puppeteer';
import type { Browser, ConnectOptions, Page } from 'puppeteer';
import { preparedPage } from '../../contract/names.js';
import { PortTransport } from './port-transport.js';

/** The CommonJS form, which the library uses: importing the other one would load the package twice. */
const library = createRequire(import.meta.url)('puppeteer') as { connect: typeof puppeteer.connect };

/** Makes the library attach to a browser instead of launching one. It requires an endpoint, so it gets a dummy. */
export function attachTo(browser: MessagePort): ConnectOptions {
  return { browserWSEndpoint: 'a port', transport: new PortTransport(browser) };
}

/**
 * The library opens a new page in the browser and waits for its renderer. After this call it gets the page that the supervisor
 * has already opened, if there is one. Affects only this thread: threads do not share modules.
 */
export function usePreparedPage(): void {
  const { connect } = library;
  library.connect = async (options) => {
    const { browserWSEndpoint: _, ...rest } = options;
    const browser = await connect(rest);
    const openPage = browser.newPage.bind(browser);
    browser.newPage = async (...args) => (await findPreparedPage(browser)) ?? (await openPage(...args));
    return browser;
  };
}

async function findPreparedPage(browser: Browser): Promise<Page | null> {
  const target = browser.targets().find((each) => each.type() === 'page' && each.url() === preparedPage);
  return (await target?.page()) ?? null;
}
