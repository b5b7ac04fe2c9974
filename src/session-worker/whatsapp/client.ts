import type { MessagePort } from 'node:worker_threads';
import type { Page } from 'puppeteer';
import { pageNeeds } from '../../contract/page-needs.js';
import type { Ignore } from '../../contract/session-record.js';
import type { Account } from '../../contract/status.js';
import type { LoginStorage } from '../../contract/thread-messages.js';
import { deferred, withDeadline } from '../../platform/deadline.js';
import { AckTracker } from './ack-tracker.js';
import { AgentCalls } from './agent-calls.js';
import { AttachedClient } from './attached-client.js';
import { isPageGone } from './exit-classifier.js';
import type { AgentFunction, AgentInput, AgentOutput } from './in-page/agent.js';
import type { PageReport } from './in-page/linking.js';
import type { Passkey } from './in-page/passkey.js';
import type { RelayAnswer } from './in-page/passkey-relay.js';
import type { PageExamination } from './in-page/self-test.js';
import { LoginCodes } from './login-codes.js';
import { putBackLogin } from './login-storage.js';
import { type ChatEvent, toPageNote } from './models.js';
import { NumberCache } from './number-cache.js';
import { watchForFailures } from './page-failures.js';
import { readPinnedPage, servePinnedPage, WebVersionError, wrongVersionSentence } from './pinned-page.js';
import { StartPages } from './start-pages.js';

interface ClientEvents {
  /** The raw text of a QR, as the library emits it. */
  readonly onQr: (text: string) => void;
  /** A pairing code is requested, which voids the QR and the code before; and later, that there is one. */
  readonly onPairingCode: () => void;
  /** Another batch of QR codes is requested, or the page has loaded and begins one. QR and pairing code are void. */
  readonly onFreshQrs: () => void;
  readonly onReady: (account: Account) => void;
  readonly onAuthFailure: (message: string) => void;
  /** `LOGOUT`, or a state of the socket that is final. */
  readonly onDisconnected: (reason: string) => void;
  readonly onPageCrashed: () => void;
  /** The page was tested: when it had loaded, and again when it had synced, before `onReady`. */
  readonly onExamined: (examination: PageExamination, isSynced: boolean) => void;
  /** Settles when there is room for more. `dropped`: number of events that the page lost before these. */
  readonly onChatEvents: (events: readonly ChatEvent[], dropped: number) => Promise<void>;
  /** The page requests a passkey. `options`: PublicKeyCredentialRequestOptionsJSON, not checked. */
  readonly onPasskeyAsked: (options: unknown, requests: number) => Promise<RelayAnswer>;
  /** The page no longer waits for that. */
  readonly onPasskeyAborted: () => void;
  /** The page has another version than the pinned one. */
  readonly onWrongVersion: (message: string) => void;
  /** The page itself was answered with an error, e.g. 500. */
  readonly onHttpError: (status: number) => void;
}

interface ClientOptions {
  readonly browser: MessagePort;
  readonly deviceName: string;
  /** The pinned version of WhatsApp Web; null: the one that WhatsApp serves. */
  readonly webVersion: string | null;
  /** Where start pages are kept. */
  readonly webVersionsDir: string;
  /** The localStorage of a login that the browser has not completely written to the disk. null: there is none. */
  readonly loginStorage: LoginStorage | null;
  readonly authTimeoutMs: number;
  readonly protocolTimeoutMs: number;
  readonly callTimeoutMs: number;
  readonly pairingCodeMs: number;
  /** The page's requests for a passkey go to `onPasskeyAsked`. */
  readonly relaysPasskey: boolean;
  /** Whose messages are not told. */
  readonly ignore: Ignore;
  readonly events: ClientEvents;
}

/** States of the socket from which a connected page may recover by itself. */
const passingStates = ['CONNECTED', 'OPENING', 'PAIRING', 'TIMEOUT'];

/** What the page must have before a login. */
const linkingNeeds = { qr: pageNeeds.qr, pairing: pageNeeds.pairing };

/** After the page has navigated away, the server's answer to a logout may still take this long. */
const logoutAnswerMs = 500;

/** The deadline of a self-test. It has several trials, each with its own deadline. */
const examinationMs = 20_000;

/** One page of WhatsApp Web. Each call into it has a deadline. */
export class WhatsAppClient {
  readonly acks = new AckTracker();
  readonly numbers = new NumberCache();
  readonly codes: LoginCodes;
  readonly #client: AttachedClient;
  readonly #calls: AgentCalls;
  readonly #options: ClientOptions;
  readonly #logoutConfirmed = deferred<boolean>();
  #missingScript: string | null = null;

  constructor(options: ClientOptions) {
    this.#options = options;
    const { events } = options;
    this.#client = new AttachedClient({
      browser: options.browser,
      protocolTimeoutMs: options.protocolTimeoutMs,
      loadTimeoutMs: options.authTimeoutMs / 2,
      onPage: (page) => this.#onPage(page),
      onLoaded: () => this.#onLoaded(),
      onSynced: () => this.#onSynced(),
    });
    this.#calls = new AgentCalls(() => this.#client.page, options.callTimeoutMs);
    this.codes = new LoginCodes(this.#calls, {
      pairingCodeMs: options.pairingCodeMs,
      ...events,
    });
    this.#client.on('qr', events.onQr);
    this.#client.on('ready', () => events.onReady(this.#client.account));
    this.#client.on('auth_failure', (message) => events.onAuthFailure(String(message)));
    this.#client.on('disconnected', (reason) => {
      if (reason === 'LOGOUT') setTimeout(() => this.#logoutConfirmed.resolve(false), logoutAnswerMs);
      events.onDisconnected(String(reason));
    });
  }

  /** Settles when the page is set up; rejects with what the library threw. May never settle. */
  initialize(): Promise<void> {
    return this.#client.initialize();
  }

  /** Why a script of the page did not load. null: none is known to be missing. */
  get missingScript(): string | null {
    return this.#missingScript;
  }

  /** The page's own report; null if there is no page yet. Rejects when the page does not answer or is gone. */
  report(): Promise<PageReport | null> {
    return this.#calls.report();
  }

  /** The localStorage of the page. A login needs it besides the page's database, which Chromium writes to the disk at once. */
  async loginStorage(): Promise<LoginStorage> {
    return (await this.#calls.evaluate('({ ...localStorage })')) as LoginStorage;
  }

  /** Calls a page function in a page that is ready; rejects with what it threw, or when the page does not answer in time. */
  ask<Name extends AgentFunction>(
    name: Name,
    input: AgentInput<Name>,
    timeoutMs?: number,
  ): Promise<AgentOutput<Name>> {
    return this.#calls.callWhenReady(name, input, timeoutMs);
  }

  /** Presses a button of the page's screen for passkeys. Rejects if the page lacks it. */
  async pressPasskey(button: Exclude<keyof Passkey, 'passkeyScreen' | 'watchForPasskey'>): Promise<void> {
    await this.#calls.call(button, undefined);
  }

  /** Runs the library's steps to `ready`, for a sync that it missed; rejects with what fails in them. */
  async makeReady(): Promise<void> {
    await this.#calls.evaluate('window.onAppStateHasSyncedEvent()');
  }

  /** Rejects with the error that the library lost in its steps to `ready`, by running them again; resolves if they succeed. */
  async repeatReadySteps(): Promise<void> {
    await this.#calls.evaluate('delete window.WWebJS, window.onAppStateHasSyncedEvent()');
  }

  /** Unlinks this device. Resolves to whether WhatsApp's server confirmed it; rejects at the deadline. */
  async logout(deadlineMs: number): Promise<boolean> {
    const begun = this.#calls.call('beginLogout', undefined, deadlineMs).catch((error: unknown) => {
      // The page may navigate away before it answers this call; the server's answer has arrived by then.
      if (!isPageGone(error)) throw error;
    });
    const confirmed = begun.then(() => this.#logoutConfirmed.promise);
    return withDeadline(confirmed, deadlineMs, 'WhatsApp');
  }

  /** Disconnects from the browser, which keeps running. */
  async detach(): Promise<void> {
    await this.#client.pupBrowser?.disconnect();
  }

  async #onPage(page: Page): Promise<void> {
    const { events, loginStorage, webVersion, webVersionsDir } = this.#options;
    const pinned = webVersion === null ? null : await readPinnedPage(webVersionsDir, webVersion);
    watchForFailures(page, {
      ...events,
      onScriptMissing: (why) => {
        this.#missingScript = why;
      },
    });
    await page.exposeFunction('holdlineTell', (message: unknown) => this.#receive(message));
    if (loginStorage !== null) await putBackLogin(page, loginStorage);
    if (pinned !== null) await servePinnedPage(page, pinned);
  }

  async #onLoaded(): Promise<void> {
    const { webVersion, deviceName, relaysPasskey, events } = this.#options;
    await this.#calls.install();
    const input = { needs: linkingNeeds, deviceName, relaysPasskey };
    const examination = await this.#calls.call('setUpLoadedPage', input, examinationMs);
    if (webVersion !== null && examination.version !== webVersion) {
      const message = wrongVersionSentence(webVersion, examination.version);
      events.onWrongVersion(message);
      throw new WebVersionError(message);
    }
    events.onExamined(examination, false);
    this.codes.beginQrs();
  }

  async #onSynced(): Promise<void> {
    const examination = await this.#calls.call(
      'setUpSyncedPage',
      { needs: pageNeeds, ignore: this.#options.ignore },
      examinationMs,
    );
    this.#options.events.onExamined(examination, true);
    void this.#keepStartPage(examination);
  }

  /** Keeps the start page of a version that works, so that it can be pinned if a later one does not work. Best effort. */
  async #keepStartPage({ version, findings }: PageExamination): Promise<void> {
    const { webVersion, webVersionsDir } = this.#options;
    const { startPage } = this.#client;
    const works = Object.values(findings).every(({ capability }) => capability !== 'broken');
    if (version === null || startPage === null || webVersion !== null || !works) return;
    await new StartPages(webVersionsDir, webVersion).keep(version, startPage);
  }

  async #receive(message: unknown): Promise<RelayAnswer | undefined> {
    const { events } = this.#options;
    const note = toPageNote(message);
    switch (note?.type) {
      case 'events':
        for (const event of note.events) {
          if (event.type !== 'message_ack') continue;
          this.acks.record(event.data.id, { ack: event.data.ack, timestamp: event.timestamp });
        }
        await events.onChatEvents(note.events, note.dropped);
        return;
      case 'socket-state':
        if (!passingStates.includes(note.state)) events.onDisconnected(note.state);
        return;
      case 'unlinked':
        this.#logoutConfirmed.resolve(note.isConfirmed);
        return;
      case 'passkey-asked':
        return events.onPasskeyAsked(note.options, note.requests);
      case 'passkey-aborted':
        events.onPasskeyAborted();
    }
    return;
  }
}
