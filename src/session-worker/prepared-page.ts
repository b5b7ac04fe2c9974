import { createRequire } from 'node:module';
import type puppeteer from 'puppeteer';
import type { Browser, Page } from 'puppeteer';
import { preparedPage } from '../contract/names.js';

/** As the library has it: the package's other form would be loaded a second time. */
const library = createRequire(import.meta.url)('puppeteer') as { connect: typeof puppeteer.connect };

/**
 * In a browser that it attaches to, the library opens a page of its own, and waits for its renderer. From here on it gets
 * the one that the supervisor has had opened before, where there is one. For this thread alone: modules are its own.
 */
export function usePreparedPage(): void {
  const { connect } = library;
  library.connect = async (options) => {
    const browser = await connect(options);
    const openPage = browser.newPage.bind(browser);
    browser.newPage = async (...args) => (await findPreparedPage(browser)) ?? (await openPage(...args));
    return browser;
  };
}

async function findPreparedPage(browser: Browser): Promise<Page | null> {
  const target = browser.targets().find((each) => each.type() === 'page' && each.url() === preparedPage);
  return (await target?.page()) ?? null;
}
