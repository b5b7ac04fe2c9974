import type { MessagePort } from 'node:worker_threads';
import type { Page } from 'puppeteer';
// The package's own entry also loads archivers and other strategies, which take half of the loading time.
import NoAuth from 'whatsapp-web.js/src/authStrategies/NoAuth.js';
import Client from 'whatsapp-web.js/src/Client.js';
import { type Account, accountSchema } from '../../contract/status.js';
import { isNavigation } from './exit-classifier.js';
import { attachTo, usePreparedPage } from './prepared-page.js';

usePreparedPage();

interface AttachedClientOptions {
  /** Speaks the DevTools protocol with the browser. */
  readonly browser: MessagePort;
  readonly protocolTimeoutMs: number;
  /** How long the page may take to load its scripts. */
  readonly loadTimeoutMs: number;
  /** There is a page. It loads nothing until this has settled. */
  readonly onPage: (page: Page) => Promise<void>;
  /** The page has loaded its scripts, before the library changes it. Called again after each navigation. */
  readonly onLoaded: () => Promise<void>;
  /** The account has synced. Replaces the library's own listeners, which do far more than is needed. */
  readonly onSynced: () => Promise<void>;
}

/** Max navigations of a page during its first setup: by a reload, or because its login is void. */
const navigationsMax = 5;

/**
 * The only user of whatsapp-web.js. It attaches the library to a browser that the supervisor owns, and to a page that may be at
 * any stage. The library brings the page from its first load to `ready` and emits QR codes. Page scripts (in-page/) do the rest.
 */
export class AttachedClient extends Client {
  readonly #options: AttachedClientOptions;
  #hasBeenSetUp = false;

  constructor(options: AttachedClientOptions) {
    super({
      puppeteer: {
        ...attachTo(options.browser),
        protocolTimeout: options.protocolTimeoutMs,
      },
      webVersionCache: { type: 'none' },
      authTimeoutMs: options.loadTimeoutMs,
      qrMaxRetries: 0,
      // The browser sets its user agent itself, the same for pages and workers.
      userAgent: false as unknown as string,
      authStrategy: new PageHook(() => options.onPage(this.pupPage as Page)),
    });
    this.#options = options;
  }

  get page(): Page | null {
    return (this.pupPage as Page | null | undefined) ?? null;
  }

  /** The start page as WhatsApp last served it; null if a pinned one was served instead. */
  get startPage(): string | null {
    return typeof this.currentIndexHtml === 'string' ? this.currentIndexHtml : null;
  }

  get account(): Account {
    const { wid, pushname, platform } = (this.info ?? {}) as unknown as Partial<Record<string, unknown>>;
    const text = (value: unknown) => (typeof value === 'string' ? value : null);
    const serialized = (wid as { _serialized?: unknown } | null | undefined)?._serialized;
    return accountSchema.parse({ wid: text(serialized), pushname: text(pushname), platform: text(platform) });
  }

  /** Repeats the first setup after a navigation: the library itself notices only later ones. */
  override async inject(): Promise<void> {
    for (let navigations = 0; ; navigations++) {
      try {
        if (await this.#prepare()) await super.inject();
        this.#hasBeenSetUp = true;
        return;
      } catch (error) {
        if (this.#hasBeenSetUp || navigations === navigationsMax || !isNavigation(error)) throw error;
      }
    }
  }

  override async attachEventListeners(): Promise<void> {
    await this.#options.onSynced();
  }

  /** Does nothing: after a conflict the library would close the browser, but the supervisor owns it. */
  override async destroy(): Promise<void> {}

  /**
   * Waits until the page has loaded its scripts, then runs `onLoaded`. Faster than the library, which polls five times a
   * second. False: the page has navigated away, and the library will call `inject` again for the next one.
   */
  async #prepare(): Promise<boolean> {
    const page = this.pupPage as Page;
    try {
      const isLoaded = await page.evaluate(`(${whenLoaded})(${this.#options.loadTimeoutMs})`);
      // If it has not loaded, the library reports that.
      if (isLoaded === true) await this.#options.onLoaded();
      return true;
    } catch (error) {
      if (this.#hasBeenSetUp && isNavigation(error)) return false;
      throw error;
    }
  }
}

/** Resolves to true as soon as the page can be set up, and to false after `timeoutMs`. */
const whenLoaded = `async (timeoutMs) => {
  const end = performance.now() + timeoutMs;
  while (window.Debug?.VERSION === undefined && performance.now() < end) {
    await new Promise((done) => setTimeout(done, 5));
  }
  return window.Debug?.VERSION !== undefined;
}`;

/** Stores no credentials (the profile does). Calls `onPage` before the page loads anything. */
class PageHook extends NoAuth {
  #isCalled = false;
  readonly #onPage: () => Promise<void>;

  constructor(onPage: () => Promise<void>) {
    super();
    this.#onPage = onPage;
  }

  // The library calls this again after a logout on the phone.
  override afterBrowserInitialized = async (): Promise<void> => {
    if (this.#isCalled) return;
    this.#isCalled = true;
    await this.#onPage();
  };
}
