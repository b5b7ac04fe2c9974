import type { Page } from 'puppeteer';
import { z } from 'zod';
import { bounds } from '../contract/bounds.js';
import { OperatorError } from '../contract/errors.js';
import { parseAs } from '../contract/json.js';
import { passkeyCredentialSchema } from '../contract/passkey.js';
import { passkeyCommand } from '../contract/passkey-command.js';
import { type BrowserOptions, DesktopBrowser } from './desktop-browser.js';
import { type Gateway, type PasskeyView, plain, RefusedError, UnavailableError } from './gateway.js';
import type { Terminal } from './terminal.js';

export interface AnswerPageOptions {
  readonly gateway: Gateway;
  readonly browser: BrowserOptions;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** Called with the page before it shows WhatsApp Web. */
  readonly onPage?: (page: Page) => Promise<void>;
}

/** An expression in the page: whether it shows the button of `passkeyCommand`. */
const hasButton = "document.querySelector('#holdline-passkey[open] button') !== null";

/** WhatsApp Web in the owner's browser, with the button that uses the passkey. It sends the answer to the server. */
export class AnswerPage {
  readonly #options: AnswerPageOptions;
  #browser: DesktopBrowser | null = null;
  /** The request whose button the page shows. */
  #shown: PasskeyView | null = null;
  #isPosting = false;
  /** The request that was answered. */
  #answered: string | null = null;
  /** The request for which that was said. */
  #saidNoButton: string | null = null;

  constructor(options: AnswerPageOptions) {
    this.#options = options;
  }

  async close(): Promise<void> {
    await this.#browser?.close();
  }

  /** Shows the button, also again after a refusal or a reload. */
  async offer(view: PasskeyView): Promise<void> {
    if (this.#isPosting || this.#answered === view.id || view.options === null) return;
    if (this.#browser !== null && !this.#browser.isOpen) {
      if (this.#shown?.id === view.id)
        throw new OperatorError('the browser was closed before the passkey was used: start this again');
      await this.#browser.close();
      this.#browser = null;
    }
    this.#browser ??= await this.#openBrowser();
    const { page } = this.#browser;
    try {
      const isThere = await page.evaluate(hasButton);
      // The owner may have pressed meanwhile.
      if (this.#isPosting || this.#answered === view.id || (isThere && this.#shown?.id === view.id)) return;
      this.#shown = view;
      const command = passkeyCommand({
        id: view.id,
        options: view.options,
        gateway: this.#options.gateway.urlOf('/qr'),
      });
      const result = await page.evaluate(command);
      if (!(await page.evaluate(hasButton)) && this.#saidNoButton !== view.id) {
        this.#saidNoButton = view.id;
        this.#options.terminal.say(`the page shows no button: ${plain(String(result))}`);
      }
    } catch (error) {
      // The page is loading, or was closed. The next turn sees which.
      this.#options.signal.throwIfAborted();
      if (error instanceof OperatorError) throw error;
    }
  }

  async #openBrowser(): Promise<DesktopBrowser> {
    const { browser: options, onPage, signal } = this.#options;
    const browser = await DesktopBrowser.start(options, signal);
    try {
      signal.throwIfAborted();
      await browser.page.exposeFunction('holdlineTakeAnswer', (text: unknown) => this.#take(text));
      await onPage?.(browser.page);
      await browser.openWhatsApp();
      return browser;
    } catch (error) {
      await browser.close();
      signal.throwIfAborted();
      throw error;
    }
  }

  /** Any script in the page can call it. */
  async #take(text: unknown): Promise<void> {
    const { gateway, terminal, signal } = this.#options;
    const id = this.#shown?.id;
    if (this.#isPosting || id === undefined || this.#answered === id) return;
    const credential = credentialOf(text, id);
    if (credential === null)
      return terminal.say('the page gave something that is no answer; press the button again');
    this.#isPosting = true;
    try {
      await gateway.answer(id, credential, signal);
      this.#answered = id;
    } catch (error) {
      if (signal.aborted) return;
      terminal.say(`${whatBecameOfIt(error)}; if the button comes back, press it again`);
    } finally {
      this.#isPosting = false;
    }
  }
}

function whatBecameOfIt(error: unknown): string {
  if (error instanceof UnavailableError)
    return `it is not known whether the answer arrived: ${error.message}`;
  const isOurs = error instanceof RefusedError || error instanceof OperatorError;
  return `the answer was not accepted: ${isOurs ? error.message : 'it could not be sent'}`;
}

const answerSchema = z.object({ id: z.string(), credential: passkeyCredentialSchema });

/** null: it is no answer to this request. */
function credentialOf(text: unknown, id: string) {
  if (typeof text !== 'string' || text.length > bounds.body) return null;
  const answer = parseAs(answerSchema, text);
  return answer?.id === id ? answer.credential : null;
}
