import type { MessagePort } from 'node:worker_threads';
import type { Page } from 'puppeteer';
// The package's own entry loads archivers and other strategies as well: half of the time that loading it takes.
import NoAuth from 'whatsapp-web.js/src/authStrategies/NoAuth.js';
import Client from 'whatsapp-web.js/src/Client.js';
import { type Account, accountSchema } from '../../contract/status.js';
import { isNavigation } from './exit-classifier.js';
import { attachTo, usePreparedPage } from './prepared-page.js';

usePreparedPage();

export interface AttachedClientOptions {
  /** Speaks the DevTools protocol with the browser. */
  readonly browser: MessagePort;
  readonly protocolTimeoutMs: number;
  /** How long the page may take to load its scripts. */
  readonly loadTimeoutMs: number;
  /** A page that loads nothing before this has settled. */
  readonly onPage: (page: Page) => Promise<void>;
  /** The page has loaded its scripts, and the library has not touched it yet. Again after each navigation. */
  readonly onLoaded: (page: Page) => Promise<void>;
  /** The account has synced: in place of the library's own listeners, which take more than anybody needs. */
  readonly onSynced: (page: Page) => Promise<void>;
}

/** So often may a page leave while it is set up for the first time: by a reload, or because its login is void. */
const navigationsMax = 5;

/**
 * The only user of whatsapp-web.js: the library on a browser that is not its own, with a page that it may meet at any moment.
 * Of the library come the way from the first page to `ready`, and the QR codes; all else is done by scripts of ours.
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
      // The browser says itself what it is, to pages and to workers alike.
      userAgent: false as unknown as string,
      authStrategy: new PageNotice(() => options.onPage(this.pupPage as Page)),
    });
    this.#options = options;
  }

  get page(): Page | null {
    return (this.pupPage as Page | null | undefined) ?? null;
  }

  /** The start page as WhatsApp last served it; null where another one was put in its place. */
  get startPage(): string | null {
    return typeof this.currentIndexHtml === 'string' ? this.currentIndexHtml : null;
  }

  get account(): Account {
    const { wid, pushname, platform } = (this.info ?? {}) as unknown as Partial<Record<string, unknown>>;
    const text = (value: unknown) => (typeof value === 'string' ? value : null);
    const serialized = (wid as { _serialized?: unknown } | null | undefined)?._serialized;
    return accountSchema.parse({ wid: text(serialized), pushname: text(pushname), platform: text(platform) });
  }

  /** Sets up the page that a navigation leads to as well. Only later ones are seen by the library itself. */
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
    await this.#options.onSynced(this.pupPage as Page);
  }

  /** The library closes the browser it thinks it owns after a conflict; this one is the supervisor's. */
  override async destroy(): Promise<void> {}

  /**
   * Our part, before the library's. The library looks five times a second whether the page has loaded its scripts: here that is
   * seen at once. False: the page has left meanwhile, and the library will be called for the one that it went to.
   */
  async #prepare(): Promise<boolean> {
    const page = this.pupPage as Page;
    try {
      const isLoaded = await page.evaluate(`(${whenLoaded})(${this.#options.loadTimeoutMs})`);
      // One that has not loaded is the library's to speak of.
      if (isLoaded === true) await this.#options.onLoaded(page);
      return true;
    } catch (error) {
      if (this.#hasBeenSetUp && isNavigation(error)) return false;
      throw error;
    }
  }
}

/** Resolves as soon as the page can be set up, to whether it can; after so many ms at the latest. */
const whenLoaded = `async (timeoutMs) => {
  const end = performance.now() + timeoutMs;
  while (window.Debug?.VERSION === undefined && performance.now() < end) {
    await new Promise((done) => setTimeout(done, 5));
  }
  return window.Debug?.VERSION !== undefined;
}`;

/** Keeps no credentials (the profile does); says when there is a page, which loads nothing before that has been heard. */
class PageNotice extends NoAuth {
  #isSaid = false;
  readonly #onPage: () => Promise<void>;

  constructor(onPage: () => Promise<void>) {
    super();
    this.#onPage = onPage;
  }

  // Called after a logout on the phone as well.
  override afterBrowserInitialized = async (): Promise<void> => {
    if (this.#isSaid) return;
    this.#isSaid = true;
    await this.#onPage();
  };
}
