import type { HTTPRequest, Page } from 'puppeteer';
import { whatsAppHost } from '../../contract/page.js';
import type { LoginStorage } from '../../contract/thread-messages.js';

const startPage = `https://${whatsAppHost}/`;
const deadlineMs = 10_000;

const writeStorage = `(storage) => {
  for (const [name, value] of Object.entries(storage)) localStorage.setItem(name, value);
}`;

/**
 * Writes the localStorage of a login that a killed browser had not written to its profile, before WhatsApp Web loads. That
 * needs a document of WhatsApp's origin, so the page loads an empty one that is answered here. No request reaches WhatsApp,
 * and no script stays in the page that would restore the login after a later logout. Rejects if the page does not answer.
 */
export async function putBackLogin(page: Page, storage: LoginStorage): Promise<void> {
  const answer = (request: HTTPRequest) =>
    void request.respond({ status: 200, contentType: 'text/html', body: '' }).catch(() => undefined);
  await page.setBypassServiceWorker(true);
  await page.setRequestInterception(true);
  page.on('request', answer);
  try {
    await page.goto(startPage, { timeout: deadlineMs });
    await page.evaluate(`(${writeStorage})(${JSON.stringify(storage)})`);
  } finally {
    page.off('request', answer);
    await page.setRequestInterception(false);
    await page.setBypassServiceWorker(false);
  }
}
