import jsQR from 'jsqr';
import { PNG } from 'pngjs';
import type { Page } from 'puppeteer';

/** The text of an element, with each run of whitespace as one space. */
export async function textOf(page: Page, selector: string): Promise<string> {
  const content = await page.$eval(selector, (element) => (element as { textContent?: string }).textContent);
  return (content ?? '').replaceAll(/\s+/g, ' ');
}

/** Reads the QR code from a screenshot of the page. */
export async function readFromScreen(page: Page): Promise<string | undefined> {
  const tile = await page.$('.tile');
  const { width, height, data } = PNG.sync.read(Buffer.from((await tile?.screenshot()) ?? ''));
  return jsQR.default(new Uint8ClampedArray(data), width, height)?.data;
}
