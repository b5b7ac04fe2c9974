import axe from 'axe-core';
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

/** What axe finds, except for the meta refresh: the reference API has it, and a page without scripts needs it. */
export async function axeViolations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const result = (await page.evaluate(
    `axe.run({ rules: { 'meta-refresh': { enabled: false } } })`,
  )) as axe.AxeResults;
  return result.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}
