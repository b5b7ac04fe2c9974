import { createRequire } from 'node:module';
import type { MessagePort } from 'node:worker_threads';
import type puppeteer from 'puppeteer';
import type { Browser, ConnectOptions, Page } from 'puppeteer';
import { preparedPage } from '../../contract/names.js';
import { BrowserPort } from './browser-port.js';

/** As the library has it: the package's other form would be loaded a second time. */
const library = createRequire(import.meta.url)('puppeteer') as { connect: typeof puppeteer.connect };

/** Options by which the library attaches to a browser instead of launching one; it asks for an address, of which there is none. */
export function attachTo(browser: MessagePort): ConnectOptions {
  return { browserWSEndpoint: 'a port', transport: new BrowserPort(browser) };
}

/**
 * In a browser that it attaches to, the library opens a page of its own, and waits for its renderer. From here on it gets
 * the one that the supervisor has had opened before, where there is one. For this thread alone: modules are its own.
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
