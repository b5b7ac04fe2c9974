import type { Page } from 'puppeteer';

interface PageFailureEvents {
  readonly onPageCrashed: () => void;
  /** The page itself was answered with an error, e.g. 500. */
  readonly onHttpError: (status: number) => void;
  /** A script of the page did not load. The browser still counts the page as loaded. */
  readonly onScriptMissing: (why: string) => void;
}

/** Reports what the browser sees fail in a page: a crash, a document or a script that did not load. */
export function watchForFailures(page: Page, events: PageFailureEvents): void {
  page.on('error', () => events.onPageCrashed());
  page.on('close', () => events.onPageCrashed());
  page.on('response', (response) => {
    if (response.status() < 400) return;
    const request = response.request();
    const isPage = request.isNavigationRequest() && response.frame() === page.mainFrame();
    if (isPage) events.onHttpError(response.status());
    if (request.resourceType() === 'script') events.onScriptMissing(`HTTP ${response.status()}`);
  });
  page.on('requestfailed', (request) => {
    if (request.resourceType() === 'script')
      events.onScriptMissing(request.failure()?.errorText ?? 'it failed');
  });
}
