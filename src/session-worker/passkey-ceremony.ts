import { ApiError } from '../contract/errors.js';
import { qrPagePath } from '../contract/names.js';
import {
  handoffMs,
  type OpenPasskey,
  type PasskeyCredential,
  type PasskeyOutcome,
  type PasskeyStatus,
  type PasskeyStep,
  passkeyRetriesMax,
} from '../contract/passkey.js';
import type { SessionWorkerTiming } from '../contract/thread-messages.js';
import { atMost, deferred } from '../platform/deadline.js';
import { notPending, type OnOutcome, PasskeyRequest } from './passkey-request.js';
import * as sentences from './passkey-sentences.js';
import type { WhatsAppClient } from './whatsapp/client.js';
import type { PasskeyScreen } from './whatsapp/in-page/passkey.js';
import type { RelayAnswer } from './whatsapp/in-page/passkey-relay.js';

interface CeremonyOptions {
  readonly session: string;
  readonly client: Pick<WhatsAppClient, 'pressPasskey'>;
  readonly timing: Pick<SessionWorkerTiming, 'passkeyMs' | 'passkeyAskMs' | 'passkeyStepMs'>;
  /** Something that callers see has changed. */
  readonly onChange: () => void;
  readonly onOutcome: OnOutcome;
}

/** The page itself ends a step at its limit. This much longer is waited for that. */
const stepGrace = 1.125;

const order: readonly PasskeyStep[] = ['answer', 'phone', 'code', 'linking'];

/**
 * One scan that WhatsApp answers with a request for a passkey: from the first sight of its screen until the account is linked, or the
 * ceremony is given up. Follows the page's screen, and presses its buttons for the operator.
 */
export class PasskeyCeremony {
  readonly #options: CeremonyOptions;
  #scannedAt = performance.now();
  /** Until then WhatsApp links without comparing a code, at the first attempt. */
  #handoffUntil = this.#scannedAt + handoffMs;
  /** Of this scan. */
  #attempts = 0;
  /** How often Continue was pressed for this scan. */
  #presses = 0;
  /** How often WhatsApp had asked the page when this scan, or its last attempt, began. */
  #requestsSeen: number;
  /** null: the page has not asked yet. */
  #request: PasskeyRequest | null = null;
  /** When Continue was pressed; null: the page has asked since. */
  #continuedAt: number | null = null;
  #asked = deferred<void>();
  #published = '';

  constructor(options: CeremonyOptions, screen: Pick<PasskeyScreen, 'requests'>) {
    this.#options = options;
    this.#requestsSeen = screen.requests;
  }

  /** null: the page has not asked yet. */
  get status(): PasskeyStatus | null {
    if (this.#request === null) return null;
    const { id, step, attempt, expires_at, problem } = this.#request.status;
    return { id, step, attempt, expires_at, code_needed: this.#isCodeNeeded(this.#request), problem };
  }

  /** What only the operator may see; null: nothing. */
  get secret(): OpenPasskey | null {
    return this.#request?.secret ?? null;
  }

  /** For `last_error`. */
  get sentence(): string {
    const { step = 'answer', problem = null } = this.#request ?? {};
    const page = qrPagePath(this.#options.session);
    if (step === 'failed') return sentences.failed(problem ?? sentences.notKnown, page);
    if (step === 'code') return sentences.compare(page);
    return step === 'answer' ? sentences.required(page) : sentences.given;
  }

  /** Presses Continue, so that the page asks for the passkey: once for each scan, and when a person retries. */
  async begin(): Promise<void> {
    this.#continuedAt = performance.now();
    this.#asked = deferred();
    await this.#options.client.pressPasskey('continuePasskey');
    this.#presses++;
  }

  /** The page asks, after so many requests of WhatsApp. Settles with the answer to its call of `navigator.credentials.get()`. */
  ask(options: unknown, requests: number): Promise<RelayAnswer> {
    const { timing, onOutcome } = this.#options;
    this.#requestsSeen = requests;
    this.#request?.end('failed');
    const before = this.#request?.id ?? null;
    const request = new PasskeyRequest(options, ++this.#attempts, before, timing.passkeyMs, onOutcome);
    this.#request = request;
    this.#continuedAt = null;
    this.#asked.resolve();
    this.#tellChange();
    return request.answered;
  }

  /** The page no longer waits for the answer. */
  abort(): void {
    if (this.#request?.isOpen) this.#fail(this.#request, sentences.pageGaveUp, 'failed');
  }

  /** Follows the page. `screen`: null: it has no connection. Returns why the ceremony has to be given up; null: it goes on. */
  follow(screen: PasskeyScreen | null): string | null {
    const { passkeyMs, passkeyStepMs } = this.#options.timing;
    if (this.#request?.isOpen && this.#request.isLate)
      this.#fail(this.#request, sentences.expired, 'expired');
    if (screen !== null) this.#followScreen(screen);
    this.#tellChange();
    const { step = 'failed', stepMs = performance.now() - this.#scannedAt } = this.#request ?? {};
    if (step === 'failed') return stepMs > passkeyMs ? sentences.abandoned : null;
    const isLate = step !== 'answer' && stepMs > passkeyStepMs * stepGrace;
    return isLate ? sentences.ofStep(step, 'timeout') : null;
  }

  /** The owner has given the answer, and WhatsApp goes on. */
  get hasAnswer(): boolean {
    return this.#request !== null && !this.#request.isOpen && this.#request.step !== 'failed';
  }

  /**
   * `credential`: null: it did not arrive. Throws an {@link ApiError} if the answer does not fit the open request, and then the page waits
   * on.
   */
  answer(id: string, credential: PasskeyCredential | null): void {
    const request = this.#require(id, 'answer');
    if (credential === null) throw notPending(sentences.notArrived);
    request.answer(credential, this.#options.timing.passkeyStepMs);
    this.#tellChange();
  }

  /** Confirms the code in the page. Throws an {@link ApiError} if the phone shows another. */
  async confirm(id: string, code: string): Promise<void> {
    const request = this.#require(id, 'code');
    request.compare(code);
    await this.#options.client.pressPasskey('confirmPasskeyCode');
    if (request.step === 'code') request.enter('linking', this.#options.timing.passkeyStepMs);
    this.#tellChange();
  }

  /**
   * Settles when the page has asked again, also if an earlier call made it ask. Throws an {@link ApiError} if it does not in time, or the
   * ceremony is over.
   */
  async retry(id: string): Promise<void> {
    if (this.#request?.isRetryOf(id)) return;
    const failed = this.#require(id, 'failed');
    if (!this.#isWaiting) {
      if (this.#presses > passkeyRetriesMax) throw new ApiError('rate_limited', sentences.tooManyRetries);
      await this.begin().catch((error: unknown) => {
        // The failed request stays, and can be repeated once more.
        this.#continuedAt = null;
        this.#asked.resolve();
        throw error;
      });
    }
    await atMost(this.#asked.promise, this.#options.timing.passkeyAskMs);
    if (this.#request === failed) throw new ApiError('timeout', sentences.notAskedAgain);
    if (this.#request === null) throw notPending(sentences.notRequested);
  }

  /** Throws an {@link ApiError} if it is not the open request. */
  cancel(id: string): void {
    if (this.#request === null) throw notPending(sentences.notRequested);
    this.#request.requireStep(id, this.#request.step);
    this.end('cancelled');
  }

  /** The ceremony is over, whatever its step. */
  end(outcome: PasskeyOutcome): void {
    this.#request?.end(outcome);
    this.#request = null;
    this.#asked.resolve();
  }

  #followScreen(screen: PasskeyScreen): void {
    if (this.#isWaiting) {
      // Until the page has asked, its screen may be that of the attempt before.
      this.#requestsSeen = screen.requests;
      return;
    }
    const isScannedAgain = screen.requests > this.#requestsSeen;
    if (isScannedAgain && (screen.card === 'prompt' || screen.card === 'failed')) this.#beginAnew(screen);
    else if (this.#request !== null) this.#advance(this.#request, screen);
    // It did not ask at all. A request that has failed can be repeated and cancelled.
    else if (this.#continuedAt !== null) void this.ask(null, screen.requests);
  }

  /** For a second scan. After a failure the page has lost its proof of it. */
  #beginAnew({ card, requests }: PasskeyScreen): void {
    this.end('failed');
    this.#requestsSeen = requests;
    this.#scannedAt = performance.now();
    this.#handoffUntil = card === 'failed' ? 0 : this.#scannedAt + handoffMs;
    this.#attempts = 0;
    this.#presses = 0;
    this.#tellChange();
    void this.begin().catch(() => undefined);
  }

  /** What the page shows goes forward only: it may show the step before for a moment. */
  #advance(request: PasskeyRequest, { card, code, reason }: PasskeyScreen): void {
    const { passkeyStepMs } = this.#options.timing;
    if (request.step === 'failed' || card === 'asking') return;
    if (request.isOpen) return this.abort();
    if (card === 'failed' || card === 'prompt') {
      return this.#fail(request, sentences.ofStep(request.step, reason), 'refused');
    }
    if (order.indexOf(card) > order.indexOf(request.step)) request.enter(card, passkeyStepMs);
    if (request.step === 'code') request.showCode(code);
  }

  #fail(request: PasskeyRequest, problem: string, outcome: PasskeyOutcome): void {
    request.fail(problem, outcome, this.#options.timing.passkeyMs);
    this.#tellChange();
  }

  #require(id: string, step: PasskeyStep): PasskeyRequest {
    if (this.#request === null) throw notPending(sentences.notRequested);
    this.#request.requireStep(id, step);
    return this.#request;
  }

  /** Continue was pressed just now, and the page has not asked yet. */
  get #isWaiting(): boolean {
    const { passkeyAskMs } = this.#options.timing;
    return this.#continuedAt !== null && performance.now() - this.#continuedAt < passkeyAskMs;
  }

  #isCodeNeeded({ step, attempt }: PasskeyRequest): boolean {
    if (step === 'linking') return false;
    const isHandoffOver = performance.now() > this.#handoffUntil;
    return step === 'code' || step === 'failed' || attempt > 1 || isHandoffOver;
  }

  #tellChange(): void {
    const now = JSON.stringify([this.status, this.secret, this.sentence]);
    if (now === this.#published) return;
    this.#published = now;
    this.#options.onChange();
  }
}
