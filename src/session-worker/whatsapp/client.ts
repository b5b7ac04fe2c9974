import type { MessagePort } from 'node:worker_threads';
import type { Page } from 'puppeteer';
import { pageNeeds } from '../../contract/page-needs.js';
import type { Account } from '../../contract/status.js';
import type { LoginStorage } from '../../contract/thread-messages.js';
import { deferred, withDeadline } from '../../platform/deadline.js';
import { AckTracker } from './ack-tracker.js';
import { AttachedClient } from './attached-client.js';
import {
  type AgentAnswer,
  type AgentFunction,
  agentCall,
  installAgent,
  type PageAgent,
  pageReport,
} from './in-page/agent.js';
import type { ChatEvent, FromPage } from './in-page/events.js';
import type { PageReport } from './in-page/linking.js';
import type { PageExamination } from './in-page/self-test.js';
import { putBackLogin } from './login-storage.js';
import { NumberCache } from './number-cache.js';
import { answeredValue } from './page-errors.js';
import { readPinnedPage, servePinnedPage, WebVersionError, wrongVersionSentence } from './pinned-page.js';
import { StartPages } from './start-pages.js';

export interface ClientEvents {
  /** The raw text of a QR, as the library has it. */
  readonly onQr: (text: string) => void;
  /** A pairing code is asked for, which voids the QR. */
  readonly onPairing: () => void;
  readonly onReady: (account: Account) => void;
  readonly onAuthFailure: (message: string) => void;
  /** `LOGOUT`, or a state of the socket that is final. */
  readonly onDisconnected: (reason: string) => void;
  readonly onPageCrashed: () => void;
  /** The page was looked at: when it had loaded, and again when it had synced, before `onReady`. */
  readonly onExamined: (examination: PageExamination, isSynced: boolean) => void;
  /** Settles when there is room for more. */
  readonly onChatEvents: (events: readonly ChatEvent[], dropped: number) => Promise<void>;
  /** It is another version than the pinned one. */
  readonly onWrongVersion: (message: string) => void;
  /** The page itself was answered with an error, e.g. 500. */
  readonly onHttpError: (status: number) => void;
}

interface ClientOptions {
  readonly browser: MessagePort;
  readonly deviceName: string;
  /** The version of WhatsApp Web that it has to be; null: what WhatsApp serves. */
  readonly webVersion: string | null;
  /** Where start pages are kept. */
  readonly webVersionsDir: string;
  /** Of a login that the profile has not got whole. */
  readonly loginStorage: LoginStorage | null;
  readonly authTimeoutMs: number;
  readonly protocolTimeoutMs: number;
  readonly callTimeoutMs: number;
  readonly pairingCodeMs: number;
  readonly events: ClientEvents;
}

/** What the page's functions give, by name. */
type AgentOutput<Name extends AgentFunction> = Awaited<ReturnType<PageAgent[Name]>>;

/** States of the socket in which a page that was connected may come back by itself. */
const passingStates = ['CONNECTED', 'OPENING', 'PAIRING', 'TIMEOUT'];

/** Time between two requests for fresh codes that came to nothing. */
const refreshEveryMs = 10_000;

/** So many come to nothing before the page is loaded anew. */
const refreshesMax = 2;

/** One page of WhatsApp Web: what it is asked goes through here, each call with a deadline. */
export class WhatsAppClient {
  readonly acks = new AckTracker();
  readonly numbers = new NumberCache();
  readonly #client: AttachedClient;
  readonly #options: ClientOptions;
  readonly #unlinked = deferred<boolean>();
  #missingScript: string | null = null;
  #codeUntil: number | null = null;
  #refreshedAt = Number.NEGATIVE_INFINITY;
  /** Requests for fresh codes since the last ones came. */
  #refreshes = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
    const { events } = options;
    this.#client = new AttachedClient({
      browser: options.browser,
      protocolTimeoutMs: options.protocolTimeoutMs,
      loadTimeoutMs: options.authTimeoutMs / 2,
      onPage: (page) => this.#onPage(page),
      onLoaded: (page) => this.#onLoaded(page),
      onSynced: () => this.#onSynced(),
    });
    this.#client.on('qr', events.onQr);
    this.#client.on('ready', () => events.onReady(this.#client.account));
    this.#client.on('auth_failure', (message) => events.onAuthFailure(String(message)));
    this.#client.on('disconnected', (reason) => {
      // The page has left for its goodbye address: whatever the server has not said by now it will not say.
      if (reason === 'LOGOUT') setTimeout(() => this.#unlinked.resolve(false), goodbyeMs);
      events.onDisconnected(String(reason));
    });
  }

  /** Settles when the page is set up; rejects with whatever the library threw. May never settle. */
  initialize(): Promise<void> {
    return this.#client.initialize();
  }

  /** Why a script of the page did not come; null: none is known to be missing. */
  get missingScript(): string | null {
    return this.#missingScript;
  }

  /** Asks the page how it is; null where there is none yet. Rejects when it does not answer or is gone. */
  async report(): Promise<PageReport | null> {
    const { page } = this.#client;
    if (page === null) return null;
    const answer = await this.#evaluate(page, pageReport, this.#options.callTimeoutMs);
    return answeredValue(answer as AgentAnswer) as PageReport;
  }

  /** What a login needs besides the page's database, which is on the disk at once. */
  async loginStorage(): Promise<LoginStorage> {
    const read = '({ ...localStorage })';
    return (await this.#evaluate(this.#page, read, this.#options.callTimeoutMs)) as LoginStorage;
  }

  /** Runs a function of ours in a page that the library has made ready; rejects with what it threw, or when it is silent. */
  async ask<Name extends AgentFunction>(
    name: Name,
    input: Parameters<PageAgent[Name]>[0],
    timeoutMs = this.#options.callTimeoutMs,
  ): Promise<AgentOutput<Name>> {
    const answer = await this.#evaluate(this.#page, whenReady(agentCall(name, input)), timeoutMs);
    return answeredValue(answer as AgentAnswer) as AgentOutput<Name>;
  }

  /** A code to type on the phone of that number; rejects where WhatsApp refuses. Voids the one before, and the QR. */
  async requestPairingCode(digits: string, timeoutMs: number): Promise<string> {
    this.#codeUntil = performance.now() + this.#options.pairingCodeMs;
    this.#options.events.onPairing();
    try {
      const code = await this.#tell('pairingCode', { digits, timeoutMs }, timeoutMs + 1_000);
      return String(code);
    } catch (error) {
      this.#codeUntil = performance.now();
      throw error;
    }
  }

  /** A pairing code counts: the QR cannot be scanned, and fresh ones would void it. */
  get isPairing(): boolean {
    return this.#codeUntil !== null && performance.now() < this.#codeUntil;
  }

  /** There was a pairing code, and nobody has typed it. */
  get hasCodeEnded(): boolean {
    return this.#codeUntil !== null && performance.now() >= this.#codeUntil;
  }

  /** Codes without a secret are of no use; unless a pairing code has it, there shall be others. */
  async renewSecret(): Promise<void> {
    if (!this.isPairing && performance.now() - this.#refreshedAt >= refreshEveryMs) await this.backToQr();
  }

  /** Gives up a pairing code or a passkey. */
  async backToQr(): Promise<void> {
    this.#codeUntil = null;
    this.#refreshedAt = performance.now();
    await this.#tell('backToQr', undefined, this.#options.callTimeoutMs);
  }

  /** Asks WhatsApp for fresh codes; not again before the last request has had its time. Some come to nothing: then anew. */
  async refreshQr(): Promise<void> {
    if (performance.now() - this.#refreshedAt < refreshEveryMs) return;
    this.#refreshedAt = performance.now();
    this.#refreshes++;
    const byReload = this.#refreshes > refreshesMax;
    if (byReload) this.#refreshes = 0;
    await this.#tell('refreshQr', { byReload });
  }

  /** Fresh codes have come. */
  codesCome(): void {
    this.#refreshedAt = Number.NEGATIVE_INFINITY;
    this.#refreshes = 0;
  }

  /** Runs the library's own steps to `ready` for a sync that it missed; rejects with what fails in them. */
  async makeReady(): Promise<void> {
    await this.#evaluate(this.#page, 'window.onAppStateHasSyncedEvent()', this.#options.callTimeoutMs);
  }

  /** Why the library's steps to `ready` failed: they are run once more, because it lost the error. Never resolves well. */
  async explainUnready(): Promise<void> {
    const again = 'delete window.WWebJS, window.onAppStateHasSyncedEvent()';
    await this.#evaluate(this.#page, again, this.#options.callTimeoutMs);
  }

  /** Unlinks this device; whether WhatsApp's server was told, as far as can be known within the time. */
  async logout(deadlineMs: number): Promise<boolean> {
    const begun = this.#tell('beginLogout', undefined, deadlineMs).catch((error: unknown) => {
      // The page may leave before it has answered; what the server said has been heard by then.
      if (!/context was destroyed|detached|Target closed/i.test(String(error))) throw error;
    });
    const answered = begun.then(() => this.#unlinked.promise);
    return withDeadline(answered, deadlineMs, 'WhatsApp');
  }

  /** Lets go of the browser, which lives on. */
  async detach(): Promise<void> {
    await this.#client.pupBrowser?.disconnect();
  }

  get #page(): Page | null {
    return this.#client.page;
  }

  async #onPage(page: Page): Promise<void> {
    const { events, loginStorage, webVersion, webVersionsDir } = this.#options;
    const pinned = webVersion === null ? null : await readPinnedPage(webVersionsDir, webVersion);
    watchPage(page, events);
    watchScripts(page, (why) => {
      this.#missingScript = why;
    });
    await page.exposeFunction('holdlineTell', (message: FromPage) => this.#hear(message));
    if (loginStorage !== null) await putBackLogin(page, loginStorage);
    if (pinned !== null) await servePinnedPage(page, pinned);
  }

  async #onLoaded(page: Page): Promise<void> {
    const { webVersion, deviceName, events } = this.#options;
    await this.#evaluate(page, installAgent, this.#options.callTimeoutMs);
    const examination = await this.#tell('setUp', { needs: linkingNeeds, deviceName }, examinationMs);
    if (webVersion !== null && examination.version !== webVersion) {
      const message = wrongVersionSentence(webVersion, examination.version);
      events.onWrongVersion(message);
      throw new WebVersionError(message);
    }
    events.onExamined(examination, false);
  }

  async #onSynced(): Promise<void> {
    const examination = await this.#tell('begin', { needs: pageNeeds }, examinationMs);
    this.#options.events.onExamined(examination, true);
    void this.#keepStartPage(examination);
  }

  /** Best effort: of a version that works, for the day on which the next one does not. */
  async #keepStartPage({ version, findings }: PageExamination): Promise<void> {
    const { webVersion, webVersionsDir } = this.#options;
    const { startPage } = this.#client;
    const isWell = Object.values(findings).every((found) => found.capability !== 'broken');
    if (version === null || startPage === null || webVersion !== null || !isWell) return;
    await new StartPages(webVersionsDir, webVersion).keep(version, startPage);
  }

  async #hear(message: FromPage): Promise<void> {
    const { events } = this.#options;
    switch (message?.type) {
      case 'events':
        for (const event of message.events) {
          if (event.type === 'ack') this.acks.tell(event.id, { ack: event.ack, timestamp: event.t });
        }
        return events.onChatEvents(message.events, message.dropped);
      case 'socket-state':
        if (!passingStates.includes(message.state)) events.onDisconnected(message.state);
        return;
      case 'unlinked':
        return this.#unlinked.resolve(message.isTold);
    }
  }

  /** Runs a function of ours in a page at any stage. */
  async #tell<Name extends AgentFunction>(
    name: Name,
    input: Parameters<PageAgent[Name]>[0],
    timeoutMs = this.#options.callTimeoutMs,
  ): Promise<AgentOutput<Name>> {
    const answer = await this.#evaluate(this.#page, agentCall(name, input), timeoutMs);
    return answeredValue(answer as AgentAnswer) as AgentOutput<Name>;
  }

  #evaluate(page: Page | null, expression: string, timeoutMs: number): Promise<unknown> {
    const call =
      page === null ? Promise.reject(new Error('there is no page yet')) : page.evaluate(expression);
    return withDeadline(call, timeoutMs, 'the page');
  }
}

/** What the page has to have before anybody is logged in. */
const linkingNeeds = { qr: pageNeeds.qr, pairing: pageNeeds.pairing };

/** What the server has said may be on its way when the page has left. */
const goodbyeMs = 500;

/** For a page with several trials that each have their own deadline. */
const examinationMs = 20_000;

/**
 * One that has just loaded anew knows neither its chats nor what it has sent: nothing may be asked of it, and "not found"
 * would be a lie. Counts as an interruption.
 */
function whenReady(call: string): string {
  return `typeof window.WWebJS === 'undefined' ? { type: 'absent' } : ${call}`;
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
