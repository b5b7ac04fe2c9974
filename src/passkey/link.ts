import { setTimeout as wait } from 'node:timers/promises';
import { OperatorError } from '../contract/errors.js';
import type { PasskeyStep } from '../contract/passkey.js';
import { AnswerPage, type AnswerPageOptions } from './answer-page.js';
import { type PasskeyView, plain, RefusedError, UnavailableError } from './gateway.js';

interface LinkOptions extends AnswerPageOptions {
  readonly pollMs?: number;
}

/** Resolves when the account is linked. Throws an {@link OperatorError} if it is not. In every case no browser is left. */
export async function linkWithPasskey(options: LinkOptions): Promise<void> {
  const linking = new Linking(options);
  try {
    await linking.run();
  } finally {
    await linking.close();
  }
}

const stepTexts: Record<PasskeyStep, string> = {
  answer: 'WhatsApp asks for your passkey: press "Use my passkey" in the browser',
  phone: 'the passkey was given; WhatsApp goes on with the phone: keep WhatsApp open there',
  code: 'WhatsApp wants a code to be compared',
  linking: 'WhatsApp links the account',
  failed: 'this attempt failed',
};

/** States that are neither linked nor the end of a request. */
const passing = new Set(['starting', 'disconnected', 'passkey_required']);
const passingMax = 60;

/** In `last_error`. */
const saysOff = /\bWHATSAPP_PASSKEY=off\b/;

class Linking {
  readonly #options: LinkOptions;
  readonly #page: AnswerPage;
  #said = '';
  #isCancelled = false;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#page = new AnswerPage(options);
  }

  async close(): Promise<void> {
    await this.#page.close();
  }

  async run(): Promise<void> {
    let hasAsked = false;
    // A wrong URL or key ends the program; what happens later may pass.
    let view: PasskeyView | null | undefined = await this.#options.gateway.request(this.#options.signal);
    for (let passed = 0; ; view = await this.#poll()) {
      if (view !== undefined) {
        if (view !== null) {
          hasAsked = true;
          passed = 0;
          await this.#follow(view);
        } else if (await this.#isLinked(hasAsked, passed++)) return;
      }
      await wait(this.#options.pollMs ?? 2_000, undefined, { signal: this.#options.signal });
    }
  }

  /** undefined: the server does not answer now. */
  async #poll(): Promise<PasskeyView | null | undefined> {
    const { gateway, signal } = this.#options;
    return gateway.request(signal).catch(this.#sayUnavailable);
  }

  readonly #sayUnavailable = (error: unknown): undefined => {
    if (!(error instanceof UnavailableError)) throw error;
    this.#sayOnce(`${error.message}; trying again`);
  };

  /** Without a request: whether it is over because the account is linked. */
  async #isLinked(hasAsked: boolean, passed: number): Promise<boolean> {
    const { gateway, signal } = this.#options;
    const status = await gateway.status(signal).catch(this.#sayUnavailable);
    if (status === undefined) return false;
    const { state, last_error } = status;
    if (this.#isCancelled && (state === 'ready' || state === 'authenticated')) {
      throw new OperatorError(
        'the account was linked although you cancelled: remove the device on the phone, under Settings -> Linked devices',
      );
    }
    if (state === 'passkey_required' && last_error !== null && saysOff.test(last_error)) {
      throw new OperatorError(
        `nothing was linked: ${gateway.url} has WHATSAPP_PASSKEY=off, so a passkey cannot be given there: set it to on, start Holdline again, and scan again`,
      );
    }
    if (this.#isCancelled) throw new OperatorError('nothing was linked: the request was cancelled');
    if (state === 'ready' || (hasAsked && state === 'authenticated')) {
      this.#sayOnce(
        hasAsked ? 'the account is linked' : 'the account is linked already, and WhatsApp asks for nothing',
      );
      return true;
    }
    if (!hasAsked) {
      const why = state === 'passkey_required' && last_error !== null ? plain(last_error) : null;
      const what = `${state === 'stopped' ? 'start it and scan' : 'scan'} the code at ${gateway.urlOf('/qr')}`;
      this.#sayOnce(
        `waiting until WhatsApp asks for a passkey (the state is ${plain(state)}): ${why ?? what}`,
      );
    } else if (!passing.has(state) || passed >= passingMax) {
      throw new OperatorError(`nothing was linked: ${plain(last_error ?? `the state is ${state}`)}`);
    }
    return false;
  }

  async #follow(view: PasskeyView): Promise<void> {
    const { step, problem } = view;
    this.#sayOnce(
      problem === null ? stepTexts[step] : `${stepTexts[step]}: ${plain(problem)}`,
      `${view.id} ${step}`,
    );
    if (step === 'answer') return this.#page.offer(view);
    if (step === 'code') return this.#compare(view);
    if (step === 'failed') return this.#askForRetry(view);
  }

  async #compare(view: PasskeyView): Promise<void> {
    const { gateway, signal } = this.#options;
    if (view.code === null) return;
    const code = plain(view.code).replace(/^(\w{4})(\w{4})$/, '$1-$2');
    const isSame = await this.#ask(`Does the phone show ${code}?`, view, [
      `if the phone shows ${code}, confirm it`,
      gateway.urlOf('/api/auth/passkey/confirm'),
      JSON.stringify({ id: view.id, code }),
    ]);
    if (isSame === null) return;
    if (!isSame) return this.#cancel(view);
    await gateway.confirm(view.id, view.code, signal).catch(this.#sayRefusal);
  }

  async #askForRetry(view: PasskeyView): Promise<void> {
    const { gateway, signal } = this.#options;
    const wants = await this.#ask('Try again?', view, [
      'to try again',
      gateway.urlOf('/api/auth/passkey/retry'),
      JSON.stringify({ id: view.id }),
    ]);
    if (wants === null) return;
    if (!wants) return this.#cancel(view);
    await gateway.retry(view.id, signal).catch((error: unknown) => {
      const isOver = error instanceof RefusedError && error.code === 'rate_limited' && !error.isTemporary;
      if (isOver) throw new OperatorError(`nothing was linked: ${error.message}`);
      this.#sayRefusal(error);
    });
  }

  async #cancel({ id }: PasskeyView): Promise<void> {
    try {
      await this.#options.gateway.cancel(id, this.#options.signal);
      this.#isCancelled = true;
    } catch (error) {
      this.#sayRefusal(error);
    }
  }

  readonly #sayRefusal = (error: unknown): void => {
    if (!(error instanceof RefusedError) && !(error instanceof UnavailableError)) throw error;
    this.#options.terminal.say(error.message);
  };

  /** null: nobody answers, or the request went on meanwhile. */
  async #ask(
    question: string,
    view: PasskeyView,
    [to, url, body]: [string, string, string],
  ): Promise<boolean | null> {
    const { terminal, signal, pollMs = 2_000 } = this.#options;
    if (terminal.ask === null) {
      this.#sayOnce(
        `${to}: POST ${url} with ${body}, or do it at ${this.#options.gateway.urlOf('/qr')}`,
        `ask ${view.id} ${view.step}`,
      );
      return null;
    }
    const over = new AbortController();
    const answer = terminal.ask(question, AbortSignal.any([signal, over.signal]));
    const isOver = async () => {
      for (;;) {
        await wait(pollMs, undefined, { signal: over.signal });
        const now = await this.#poll();
        if (now !== undefined && (now?.id !== view.id || now.step !== view.step)) return null;
      }
    };
    const leaving = isOver();
    leaving.catch(() => {});
    answer.catch(() => {});
    try {
      return await Promise.race([answer, leaving]);
    } finally {
      over.abort();
    }
  }

  readonly #keys = new Set<string>();

  /** Once until something else is said; with a key, once at all. */
  #sayOnce(line: string, key?: string): void {
    if (key === undefined ? line === this.#said : this.#keys.has(key)) return;
    if (key !== undefined) this.#keys.add(key);
    this.#said = line;
    this.#options.terminal.say(line);
  }
}
