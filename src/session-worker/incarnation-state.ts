import type { IncarnationExit } from '../contract/exit-reasons.js';
import type { PageStatus } from '../contract/page.js';
import type { PairingCode } from '../contract/pairing-code.js';
import type { OpenPasskey } from '../contract/passkey.js';
import { mayFollow } from '../contract/state-transitions.js';
import type { Account, SessionState, Status } from '../contract/status.js';
import type { FromThread, ThreadData } from '../contract/thread-messages.js';
import { atMost } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';
import type { StoredQr } from '../platform/store/state-store.js';
import type { LoginKeeper } from './login-keeper.js';
import type { PageHealth } from './page-health.js';
import { interrupted, scanAgain } from './passkey-sentences.js';
import type { StateWriter } from './state-writer.js';

/** How long an exit waits until a fresh login is read from the page. A page that hangs or is gone gives none. */
const loginReadMs = 2_000;

export interface ShownQr {
  readonly image: StoredQr;
  readonly qr: NonNullable<Status['qr']>;
}

/** What a state shows besides. */
interface Shown {
  /** In the state `qr`: what a phone accepts, at most one of them. */
  readonly qr?: ShownQr | null;
  readonly pairingCode?: PairingCode | null;
  /** In the state `passkey_required`. */
  readonly passkey?: { readonly status: Status['passkey']; readonly secret: OpenPasskey | null };
  /** In these two states: the new `last_error`. null: it stays as it is. */
  readonly lastError?: string | null;
}

interface IncarnationStateOptions {
  readonly data: ThreadData;
  readonly writer: StateWriter;
  readonly page: PageHealth;
  readonly login: LoginKeeper;
  readonly post: (message: FromThread) => void;
  readonly log: Logger;
}

/** The state of one incarnation: publishes each change to Redis and to the supervisor, until the incarnation ends. */
export class IncarnationState {
  readonly #options: IncarnationStateOptions;
  readonly #ended = new AbortController();
  #state: SessionState = 'starting';
  #since = performance.now();
  #account: Account | null;
  #lastError: string | null;
  /** Why the last scan did not link. Shown in the state `qr`. */
  #linkingProblem: string | null = null;
  #publishedPage: PageStatus | null = null;

  constructor(options: IncarnationStateOptions) {
    this.#options = options;
    this.#account = options.data.account;
    this.#lastError = options.data.lastError;
    if (options.data.wasPasskeyAsked) this.#linkingProblem = scanAgain(interrupted);
  }

  get current(): SessionState {
    return this.#state;
  }

  /** How long the current state has lasted. */
  get ageMs(): number {
    return performance.now() - this.#since;
  }

  /** The account of the session; null until it is known. */
  get account(): Account | null {
    return this.#account;
  }

  /** The page asks for a login. */
  get isUnlinked(): boolean {
    return this.#state === 'qr' || this.#state === 'passkey_required';
  }

  /** The page has not linked yet, as far as is known. */
  get isBeforeLink(): boolean {
    return this.#state === 'starting' || this.isUnlinked;
  }

  /** Aborts when the incarnation is over. After that nothing is published. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** The newest self-test of the page is part of the published state. */
  get isPagePublished(): boolean {
    return this.#publishedPage === this.#options.page.status;
  }

  end(): void {
    this.#ended.abort();
  }

  /** Published with the next state. */
  setAccount(account: Account): void {
    this.#account = account;
  }

  /** Logs and ignores a state that may not follow the current one. */
  publish(state: SessionState, shown: Shown = {}): void {
    const { qr = null, pairingCode = null, passkey, lastError = null } = shown;
    if (this.ended.aborted) return;
    if (!mayFollow(this.#state, state)) {
      return this.#options.log.warn(
        { from: this.#state, to: state },
        'ignored an impossible change of state',
      );
    }
    if (state !== this.#state) this.#since = performance.now();
    this.#state = state;
    if (state === 'qr') this.#account = null;
    if (state === 'qr' && lastError !== null) this.#linkingProblem = lastError;
    else if (state !== 'qr' && state !== 'starting') this.#linkingProblem = null;
    this.#lastError = state === 'passkey_required' ? lastError : this.#errorOf(state);
    this.#publishedPage = this.#options.page.status;
    const facts = { lastError: this.#lastError, account: this.#account, page: this.#publishedPage };
    const change = { state, ...facts, qr: qr?.qr ?? null, passkey: passkey?.status ?? null };
    this.#options.writer.write(change, {
      ...{ qr: qr?.image ?? null, pairingCode },
      passkey: passkey?.secret ?? null,
    });
    this.#options.post({ type: 'state', state, account: this.#account });
  }

  /** Ends the incarnation with the first exit, and ignores later ones. Posts a fresh login before the exit. */
  fail(exit: IncarnationExit): void {
    if (this.ended.aborted) return;
    this.end();
    const failed: FromThread = { type: 'failed', ...this.#options.page.explain(exit) };
    void atMost(this.#options.login.posted, loginReadMs).then(() => this.#options.post(failed));
  }

  #errorOf(state: SessionState): string | null {
    if (state === 'qr') return this.#linkingProblem;
    if (state === 'authenticated') return null;
    if (state === 'ready') return this.#options.page.broken;
    return this.#lastError;
  }
}
