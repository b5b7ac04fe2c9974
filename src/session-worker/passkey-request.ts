import { randomUUID } from 'node:crypto';
import { KiB } from '../contract/bounds.js';
import { ApiError } from '../contract/errors.js';
import { jsonBytes } from '../contract/json-size.js';
import {
  type OpenPasskey,
  type PasskeyCredential,
  type PasskeyOptions,
  type PasskeyOutcome,
  type PasskeyStatus,
  type PasskeyStep,
  passkeyOptionsSchema,
} from '../contract/passkey.js';
import { type Deferred, deferred } from '../platform/deadline.js';
import { credentialDefect } from './passkey-check.js';
import * as sentences from './passkey-sentences.js';
import type { RelayAnswer } from './whatsapp/in-page/passkey-relay.js';

/** In bytes of JSON. WhatsApp's own limit is half of it. */
const longestOptions = 8 * KiB;

/** A request ends once. `answeredMs`: from the request to the owner's answer; null: there was none. */
export type OnOutcome = (outcome: PasskeyOutcome, answeredMs: number | null) => void;

/**
 * One call of `navigator.credentials.get()` by WhatsApp's page, and the steps that follow it. An answer is handed to the page and not
 * kept.
 */
export class PasskeyRequest {
  readonly id = randomUUID();
  readonly attempt: number;
  readonly #before: string | null;
  readonly #call: Deferred<RelayAnswer> = deferred();
  readonly #onOutcome: OnOutcome;
  /** null: the call is answered. */
  #options: PasskeyOptions | null = null;
  #step: PasskeyStep = 'answer';
  #stepAt = performance.now();
  #expiresAt = 0;
  #problem: string | null = null;
  /** To compare with the phone, in the step `code`. */
  #code: string | null = null;
  #answeredMs: number | null = null;
  #isOver = false;

  /**
   * `options`: what the page asks for, not checked. `before`: the id of the request that this one repeats. `lifeMs`: the longest life of the
   * call.
   */
  constructor(
    options: unknown,
    attempt: number,
    before: string | null,
    lifeMs: number,
    onOutcome: OnOutcome,
  ) {
    this.attempt = attempt;
    this.#before = before;
    this.#onOutcome = onOutcome;
    const isShort = jsonBytes(options) <= longestOptions;
    const data = isShort ? (passkeyOptionsSchema.safeParse(options).data ?? null) : null;
    this.#options = data;
    this.enter('answer', Math.min(data?.timeout ?? lifeMs, lifeMs));
    if (data === null) this.fail(sentences.notKnown, 'failed', lifeMs);
  }

  /** What the page's call is answered with. */
  get answered(): Promise<RelayAnswer> {
    return this.#call.promise;
  }

  get step(): PasskeyStep {
    return this.#step;
  }

  get stepMs(): number {
    return performance.now() - this.#stepAt;
  }

  get problem(): string | null {
    return this.#problem;
  }

  /** The page waits for the answer. */
  get isOpen(): boolean {
    return this.#options !== null;
  }

  /** The step's time is over. */
  get isLate(): boolean {
    return Date.now() >= this.#expiresAt;
  }

  get status(): Omit<PasskeyStatus, 'code_needed'> {
    const expires_at = new Date(this.#expiresAt).toISOString();
    return { id: this.id, step: this.#step, attempt: this.attempt, expires_at, problem: this.#problem };
  }

  /** What only the operator may see; null: nothing. */
  get secret(): OpenPasskey | null {
    if (this.#options === null && this.#code === null) return null;
    return { id: this.id, options: this.#options, code: this.#code };
  }

  enter(step: PasskeyStep, lifeMs: number): void {
    this.#step = step;
    this.#stepAt = performance.now();
    this.#expiresAt = Date.now() + lifeMs;
    this.#code = null;
  }

  showCode(code: string | null): void {
    this.#code = code;
  }

  /** Hands the owner's answer to the page. Throws an {@link ApiError} if it does not fit, and then the page waits on. */
  answer(credential: PasskeyCredential, phoneMs: number): void {
    if (this.#options === null || this.isLate) throw notPending(sentences.expired);
    const defect = credentialDefect(credential, this.#options);
    if (defect !== null) {
      throw new ApiError('passkey_not_acceptable', `WhatsApp would refuse this answer: ${defect}`);
    }
    this.#answeredMs = this.stepMs;
    this.#options = null;
    this.#call.resolve({ credential });
    this.enter('phone', phoneMs);
  }

  /** The phone shows this code. Throws an {@link ApiError} if it differs from the page's, or the page shows none. */
  compare(code: string): void {
    if (this.#code === null) throw notPending(sentences.noCode);
    if (comparable(code) === comparable(this.#code)) return;
    throw new ApiError(
      'passkey_code_differs',
      'this is not the code that WhatsApp Web shows: read it on the phone again; if it stays another one, cancel, because somebody else may be linking',
    );
  }

  /** Nothing is linked by this request. `lifeMs`: how long it can be repeated. */
  fail(problem: string, outcome: PasskeyOutcome, lifeMs: number): void {
    this.#problem = problem;
    this.end(outcome);
    this.enter('failed', lifeMs);
  }

  /** Refuses the page's call if it waits, as a browser does when nobody uses a passkey. */
  end(outcome: PasskeyOutcome): void {
    this.#options = null;
    this.#call.resolve(notAllowed);
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onOutcome(outcome, this.#answeredMs);
  }

  isRetryOf(id: string): boolean {
    return this.#before === id;
  }

  requireStep(id: string, step: PasskeyStep): void {
    if (this.id !== id) {
      throw new ApiError('passkey_superseded', 'WhatsApp has made a new request since; use that one');
    }
    if (this.#step !== step) throw notPending(sentences.notThisStep(this.#step));
  }
}

/** What a browser answers when nobody uses a passkey. */
export const notAllowed: RelayAnswer = {
  error: { name: 'NotAllowedError', message: 'The operation either timed out or was not allowed.' },
};

export function notPending(message: string): ApiError {
  return new ApiError('passkey_not_pending', message);
}

/** WhatsApp's codes have no I, L, O and U, so that people cannot mistake them. */
function comparable(code: string): string {
  const letters = code.toUpperCase().replace(/[^0-9A-Z]/g, '');
  return letters.replaceAll('O', '0').replaceAll(/[IL]/g, '1');
}
