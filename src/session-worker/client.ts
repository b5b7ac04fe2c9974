import type { Page } from 'puppeteer';
import type whatsapp from 'whatsapp-web.js';
// The package's own entry loads archivers and other strategies as well: half of the time that loading it takes.
import NoAuth from 'whatsapp-web.js/src/authStrategies/NoAuth.js';
import Client from 'whatsapp-web.js/src/Client.js';
import { type Account, accountSchema } from '../contract/status.js';
import type { LoginStorage } from '../contract/thread-messages.js';
import type { Chat, Message } from '../contract/whatsapp.js';
import { withDeadline } from '../platform/deadline.js';
import { Acks } from './acks.js';
import { isNavigation } from './failures.js';
import { KnownNumbers } from './known-numbers.js';
import { putBackLogin } from './login-storage.js';
import { readPage, readStorage, whenLoaded, whenReady } from './page-scripts.js';
import { usePreparedPage } from './prepared-page.js';
import { toChat, toMessage } from './shapes.js';

usePreparedPage();

/** What the page says of itself; null where it has not loaded far enough to say. */
export interface PageReport {
  readonly socketState: string | null;
  readonly hasSynced: boolean;
  /** The library's listeners are in place. */
  readonly isInjected: boolean;
  /** The library has begun its steps to `ready` in this page. */
  readonly hasBegunReadying: boolean;
  readonly isLoaded: boolean;
  /** WhatsApp sent the page to its goodbye address. */
  readonly isLoggedOut: boolean;
}

export interface ClientEvents {
  /** The raw text of a QR, as the library has it. */
  readonly onQr: (text: string) => void;
  readonly onReady: (account: Account) => void;
  readonly onAuthFailure: (message: string) => void;
  /** `LOGOUT`, or a state of the socket that the library takes for final. */
  readonly onDisconnected: (reason: string) => void;
  readonly onPageCrashed: () => void;
  /** Incoming ones only. */
  readonly onMessage: (message: Message) => void;
  readonly onAck: (ack: { id: string; chat_id: string; ack: number }) => void;
  /** The page itself was answered with an error, e.g. 500. */
  readonly onHttpError: (status: number) => void;
}

interface ClientOptions {
  readonly browserWsEndpoint: string;
  readonly webVersion: string | null;
  readonly webCacheDir: string;
  /** Of a login that the profile has not got whole. */
  readonly loginStorage: LoginStorage | null;
  readonly authTimeoutMs: number;
  readonly protocolTimeoutMs: number;
  readonly callTimeoutMs: number;
  readonly events: ClientEvents;
}

/**
 * The only user of whatsapp-web.js. Attaches it to a browser that is not its own, and makes up for what the
 * library leaves out: calls into the page have deadlines, and the page can be asked how it is.
 */
export class WhatsAppClient {
  readonly acks = new Acks();
  readonly numbers = new KnownNumbers();
  readonly #client: AttachedClient;
  readonly #callTimeoutMs: number;
  #missingScript: string | null = null;

  constructor(options: ClientOptions) {
    const { events, webVersion } = options;
    this.#callTimeoutMs = options.callTimeoutMs;
    this.#client = new AttachedClient(
      {
        puppeteer: {
          browserWSEndpoint: options.browserWsEndpoint,
          protocolTimeout: options.protocolTimeoutMs,
        },
        webVersionCache:
          webVersion === null ? { type: 'none' } : { type: 'local', path: options.webCacheDir },
        ...(webVersion === null ? {} : { webVersion }),
        authTimeoutMs: options.authTimeoutMs,
        qrMaxRetries: 0,
      },
      async (page) => {
        watchPage(page, events);
        watchScripts(page, (why) => {
          this.#missingScript = why;
        });
        if (options.loginStorage !== null) await putBackLogin(page, options.loginStorage);
      },
    );
    this.#client.on('qr', events.onQr);
    this.#client.on('ready', () => events.onReady(accountOf(this.#client)));
    this.#client.on('auth_failure', (message) => events.onAuthFailure(String(message)));
    this.#client.on('message', (message) => events.onMessage(toMessage(rawOf(message))));
    this.#client.on('message_ack', (message, ack) => {
      this.acks.tell(message.id._serialized, { ack, timestamp: message.timestamp ?? null });
      events.onAck({ id: message.id._serialized, chat_id: message.id.remote, ack });
    });
    this.#client.on('disconnected', (reason) => events.onDisconnected(String(reason)));
  }

  /** Settles when the page is set up; rejects with whatever the library threw. May never settle. */
  initialize(): Promise<void> {
    return this.#client.initialize();
  }

  /** Why a script of the page did not come; null: none is known to be missing. */
  get missingScript(): string | null {
    return this.#missingScript;
  }

  /** Asks the page; rejects when it does not answer in time or is gone. */
  report(): Promise<PageReport | null> {
    return this.#page === null
      ? Promise.resolve(null)
      : this.#call(evaluate(this.#page, `(${readPage})()`) as Promise<PageReport>, 'the page');
  }

  /** What a login needs besides the page's database, which is on the disk at once. */
  loginStorage(): Promise<LoginStorage> {
    return this.#call(evaluate(this.#page, `(${readStorage})()`) as Promise<LoginStorage>, 'the page');
  }

  /** Runs one of the page's scripts; rejects with what it threw, or when it does not answer in time. */
  ask<Answer>(script: string, argument: unknown, timeoutMs = this.#callTimeoutMs): Promise<Answer> {
    const call = evaluate(this.#page, `(${whenReady})(${script}, ${JSON.stringify(argument)})`);
    return withDeadline(call as Promise<Answer>, timeoutMs, 'the page');
  }

  /** Every chat, in no order. */
  async chats(timeoutMs: number): Promise<Chat[]> {
    await this.ask('() => null', null, timeoutMs);
    const chats = await withDeadline(this.#client.getChats(), timeoutMs, 'the page');
    return chats.map((chat) => toChat({ ...chat, lastMessage: rawOf(chat.lastMessage) }));
  }

  /** The id under which WhatsApp knows a number; null: it is not on WhatsApp. */
  async numberId(digits: string, timeoutMs: number): Promise<string | null> {
    await this.ask('() => null', null, timeoutMs);
    const id = await withDeadline(this.#client.getNumberId(digits), timeoutMs, 'the page');
    return id?._serialized ?? null;
  }

  /** A code to type on the phone of that number; rejects where WhatsApp refuses. Voids the one before. */
  requestPairingCode(digits: string, timeoutMs: number): Promise<string> {
    return withDeadline(this.#client.requestPairingCode(digits), timeoutMs, 'the page');
  }

  /** Asks WhatsApp for fresh codes. The library means to, but calls it on the wrong side (Client.js 281-293). */
  async refreshQr(): Promise<void> {
    await this.#call(
      evaluate(this.#page, "window.require('WAWebCmd').Cmd.refreshQR(), undefined"),
      'the page',
    );
  }

  /** Runs the library's own steps to `ready` for a sync that it missed; rejects with what fails in them. */
  async makeReady(): Promise<void> {
    await this.#call(evaluate(this.#page, 'window.onAppStateHasSyncedEvent()'), 'the page');
  }

  /** Why the library's steps to `ready` failed: they are run once more, because it lost the error. Never resolves well. */
  async explainUnready(): Promise<void> {
    await this.#call(
      evaluate(this.#page, 'delete window.WWebJS, window.onAppStateHasSyncedEvent()'),
      'the page',
    );
  }

  /** Unlinks this device; resolves when WhatsApp was told. */
  async logout(): Promise<void> {
    const call = evaluate(
      this.#page,
      "Promise.resolve(window.require('WAWebSocketModel').Socket.logout()).then(() => undefined)",
    );
    await this.#call(call, 'the page').catch(async (error: unknown) => {
      // The page leaves for its goodbye address, sometimes before it has answered.
      if ((await this.report().catch(() => null))?.isLoggedOut !== true) throw error;
    });
  }

  /** Lets go of the browser, which lives on. */
  async detach(): Promise<void> {
    await this.#client.pupBrowser?.disconnect();
  }

  get #page(): Page | null {
    return (this.#client.pupPage as Page | null | undefined) ?? null;
  }

  #call<T>(promise: Promise<T>, what: string): Promise<T> {
    return withDeadline(promise, this.#callTimeoutMs, what);
  }
}

/** So often may a page leave while it is set up for the first time: by a reload, or because its login is void. */
const navigationsMax = 5;

/** The library on a browser that is not its own, with a page that it may meet at any moment. */
class AttachedClient extends Client {
  readonly #loadPatienceMs: number;
  #hasBeenSetUp = false;

  constructor(
    options: whatsapp.ClientOptions & { authTimeoutMs: number },
    onPage: (page: Page) => Promise<void>,
  ) {
    const authTimeoutMs = options.authTimeoutMs / 2;
    super({ ...options, authTimeoutMs, authStrategy: new PageNotice(() => onPage(this.pupPage as Page)) });
    this.#loadPatienceMs = authTimeoutMs;
  }

  /** Sets up the page that a navigation leads to as well. Only later ones are seen by the library itself. */
  override async inject(): Promise<void> {
    for (let navigations = 0; ; navigations++) {
      try {
        await this.#setUp();
        this.#hasBeenSetUp = true;
        return;
      } catch (error) {
        if (this.#hasBeenSetUp || navigations === navigationsMax || !isNavigation(error)) throw error;
      }
    }
  }

  /** The library looks five times a second whether the page has loaded its scripts: here that is seen at once. */
  async #setUp(): Promise<void> {
    const isLoaded = evaluate(this.pupPage as Page | null, `(${whenLoaded})(${this.#loadPatienceMs})`);
    // A page that leaves meanwhile is the library's to look at again.
    await isLoaded.catch(() => undefined);
    await super.inject();
  }

  /** The library closes the browser it thinks it owns after a conflict; this one is the supervisor's. */
  override async destroy(): Promise<void> {}
}

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

function watchPage(page: Page, events: ClientEvents): void {
  page.on('error', () => events.onPageCrashed());
  page.on('close', () => events.onPageCrashed());
  page.on('response', (response) => {
    const isPage = response.request().isNavigationRequest() && response.frame() === page.mainFrame();
    if (isPage && response.status() >= 400) events.onHttpError(response.status());
  });
}

/** A page without one of its scripts has loaded all the same, as far as the browser is concerned. */
function watchScripts(page: Page, onMissing: (why: string) => void): void {
  page.on('response', (response) => {
    const isScript = response.request().resourceType() === 'script';
    if (isScript && response.status() >= 400) onMissing(`HTTP ${response.status()}`);
  });
  page.on('requestfailed', (request) => {
    if (request.resourceType() === 'script') onMissing(request.failure()?.errorText ?? 'it failed');
  });
}

function evaluate(page: Page | null, expression: string): Promise<unknown> {
  return page === null ? Promise.reject(new Error('there is no page yet')) : page.evaluate(expression);
}

/** The page's model, which the library keeps beside what it made of it. */
function rawOf(message: whatsapp.Message | undefined): unknown {
  return message === undefined ? null : (message.rawData ?? message);
}

function accountOf(client: whatsapp.Client): Account {
  const { wid, pushname, platform } = client.info ?? {};
  return accountSchema.parse({
    wid: wid?._serialized ?? null,
    pushname: pushname ?? null,
    platform: platform ?? null,
  });
}
