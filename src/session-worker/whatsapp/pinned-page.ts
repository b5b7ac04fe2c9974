import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CDPSession, Page } from 'puppeteer';
import { HoldlineError, messageOf } from '../../contract/errors.js';
import { whatsAppHost } from '../../contract/page.js';

/** The pinned version of WhatsApp Web cannot be used. The code is the exit reason. */
export class WebVersionError extends HoldlineError {
  constructor(message: string, cause?: unknown) {
    super('web_version_missing', message, { cause });
  }
}

/** Reads the start page of a pinned version. Throws {@link WebVersionError} if the file is missing, empty or unreadable. */
export async function readPinnedPage(dir: string, version: string): Promise<string> {
  const file = join(dir, `${version}.html`);
  const html = await readFile(file, 'utf8').catch((error: unknown) => {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const why = isMissing ? 'it is not there' : messageOf(error);
    throw new WebVersionError(missingSentence(version, file, why), error);
  });
  if (html.trim() === '') throw new WebVersionError(missingSentence(version, file, 'it is empty'));
  return html;
}

function missingSentence(version: string, file: string, why: string): string {
  return `WHATSAPP_WEB_VERSION pins WhatsApp Web ${version}, but its start page ${file} cannot be used (${why}): copy it there from where it was kept, pin a version that npm run doctor lists, or unset WHATSAPP_WEB_VERSION`;
}

/** `actual`: the version that the loaded page reports; null: it reports none. */
export function wrongVersionSentence(pinned: string, actual: string | null): string {
  const loaded = actual === null ? 'a page without a version' : `version ${actual}`;
  return `WHATSAPP_WEB_VERSION pins WhatsApp Web ${pinned}, but ${loaded} was loaded: the kept start page is another one, or WhatsApp replaced it; pin a version that npm run doctor lists, or unset WHATSAPP_WEB_VERSION`;
}

/**
 * Answers every document request of the main frame to WhatsApp Web, for any path, with this start page: at the start, after a
 * reload, and after a logout. Nothing else is intercepted, because scripts and media must not wait for this thread. The
 * service worker is bypassed, because it could answer with another version.
 *
 * Call it after `putBackLogin` (login-storage.ts), which ends the bypass.
 */
export async function servePinnedPage(page: Page, html: string): Promise<void> {
  await page.setBypassServiceWorker(true);
  const session = await page.createCDPSession();
  const mainFrame = (await session.send('Page.getFrameTree')).frameTree.frame.id;
  const body = Buffer.from(html).toString('base64');
  session.on('Fetch.requestPaused', ({ requestId, frameId }) => {
    const answered = frameId === mainFrame ? fulfil(session, requestId, body) : pass(session, requestId);
    // Fails if the page has navigated away.
    answered.catch(() => undefined);
  });
  const patterns = [{ urlPattern: `https://${whatsAppHost}/*`, resourceType: 'Document' as const }];
  await session.send('Fetch.enable', { patterns });
}

function fulfil(session: CDPSession, requestId: string, body: string): Promise<void> {
  const responseHeaders = [{ name: 'content-type', value: 'text/html; charset=utf-8' }];
  return session.send('Fetch.fulfillRequest', { requestId, responseCode: 200, responseHeaders, body });
}

function pass(session: CDPSession, requestId: string): Promise<void> {
  return session.send('Fetch.continueRequest', { requestId });
}
