import jsQR from 'jsqr';
import { PNG } from 'pngjs';
import type { Page } from 'puppeteer';

/** What a person reads in an element. */
export async function textOf(page: Page, selector: string): Promise<string> {
  const content = await page.$eval(selector, (element) => (element as { textContent?: string }).textContent);
  return (content ?? '').replaceAll(/\s+/g, ' ');
}

/** Scans the page's code as a camera would see it. */
export async function readFromScreen(page: Page): Promise<string | undefined> {
  const tile = await page.$('.tile');
  const { width, height, data } = PNG.sync.read(Buffer.from((await tile?.screenshot()) ?? ''));
  return jsQR.default(new Uint8ClampedArray(data), width, height)?.data;
}
