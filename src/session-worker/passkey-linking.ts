import type { SessionWorkerTiming } from '../contract/thread-messages.js';
import type { IncarnationState } from './incarnation-state.js';
import { PasskeyCeremony } from './passkey-ceremony.js';
import { notAllowed, type OnOutcome } from './passkey-request.js';
import * as sentences from './passkey-sentences.js';
import type { WhatsAppClient } from './whatsapp/client.js';
import type { PageReport } from './whatsapp/in-page/linking.js';
import type { PasskeyScreen } from './whatsapp/in-page/passkey.js';
import type { RelayAnswer } from './whatsapp/in-page/passkey-relay.js';

/** After this time a page that still shows a request that was given up is sent back to QR codes again. */
const goBackMs = 10_000;

interface PasskeyLinkingOptions {
  readonly session: string;
  readonly client: Pick<WhatsAppClient, 'codes' | 'pressPasskey'>;
  readonly state: IncarnationState;
  readonly timing: SessionWorkerTiming;
  /** Passkeys can be given: the page's requests come to {@link PasskeyLinking.onAsked}. */
  readonly relaysPasskey: boolean;
  readonly onPasskeyOutcome: OnOutcome;
  /** A call into the page failed. */
  readonly onCallFailed: (error: unknown) => void;
  readonly withdrawQr: () => void;
  /** Publishes the state `qr`. */
  readonly showCodes: (lastError: string) => void;
}

/** The state `passkey_required`: enters it when the page shows WhatsApp's request, and leaves it when the request has ended. */
export class PasskeyLinking {
  readonly #options: PasskeyLinkingOptions;
  #ceremony: PasskeyCeremony | null = null;
  /** The request that was given up: the page may still show its screen for a moment. -1: none. */
  #leftAtRequest = -1;
  #leftAt = 0;
  /** A person cancelled after the answer, and the page has not gone back yet: it may have linked just before. */
  #mayLinkStill = false;
  /** How often WhatsApp has asked the page, as it last reported. */
  #requests = 0;
  /** When the page last showed its screen. */
  #screenAt = 0;

  constructor(options: PasskeyLinkingOptions) {
    this.#options = options;
  }

  /** The open request; null: there is none. */
  get ceremony(): PasskeyCeremony | null {
    return this.#options.state.current === 'passkey_required' ? this.#ceremony : null;
  }

  /** If the page links now, then by a request that a person has cancelled. */
  get isCancelledLink(): boolean {
    return this.#mayLinkStill;
  }

  /** Follows the page. True: WhatsApp waits for a passkey, so the page must not be disturbed. */
  async update(report: PageReport): Promise<boolean> {
    const { state, timing } = this.#options;
    const screen = report.passkey;
    const isUnpaired = report.socketState?.startsWith('UNPAIRED') ?? false;
    // Without a connection the page tells nothing of its screen.
    if (screen !== null || isUnpaired) this.#requests = screen?.requests ?? 0;
    if (screen === null && isUnpaired) {
      this.#leftAtRequest = -1;
      this.#mayLinkStill = false;
    }
    if (screen !== null && screen.requests > this.#leftAtRequest) this.#enter(screen);
    else if (screen !== null && state.current === 'qr') await this.#sendBack();
    if (state.current !== 'passkey_required' || report.socketState === 'CONNECTED') return false;
    if (screen !== null) this.#screenAt = performance.now();
    else if (isUnpaired) {
      this.#ceremony?.end('cancelled');
      await this.#leave(sentences.closed, null);
      return true;
    } else if (this.#ceremony?.hasAnswer || report.socketState === null) {
      this.#endLateLinking();
      return false;
    }
    const tooOld = state.ageMs > timing.passkeyMs ? sentences.abandoned : null;
    const why = this.#ceremony === null ? tooOld : this.#ceremony.follow(screen);
    if (why === null) return true;
    this.#ceremony?.end('failed');
    await this.#leave(why, this.#requests);
    return true;
  }

  /** The page asks for the passkey, after so many requests of WhatsApp. Settles with the answer to its call. */
  onAsked(options: unknown, requests: number): Promise<RelayAnswer> {
    const { state, relaysPasskey } = this.#options;
    // Given up: the page may still be about to ask.
    const isLeft = state.current === 'qr' && this.#leftAtRequest >= 0;
    if (!state.isBeforeLink || !relaysPasskey || isLeft) return Promise.resolve(notAllowed);
    // A page that asks by itself needs no press of its button.
    this.#ceremony ??= this.#beginCeremony({ requests });
    this.#enter({ requests });
    return this.#ceremony.ask(options, requests);
  }

  onAborted(): void {
    this.#ceremony?.abort();
  }

  onLinked(): void {
    this.#ceremony?.end('linked');
    this.#ceremony = null;
  }

  /** The page was loaded again: its request is lost. */
  onReload(): void {
    const { state, showCodes } = this.#options;
    if (state.current !== 'passkey_required') return;
    this.#ceremony?.end('failed');
    this.#ceremony = null;
    showCodes(sentences.scanAgain(sentences.reloaded));
  }

  /** A person gives the request up. The page goes back to QR codes afterwards. Throws an {@link ApiError} if it is not the open one. */
  cancel(id: string): void {
    const hasAnswer = this.#ceremony?.hasAnswer ?? false;
    this.#ceremony?.cancel(id);
    this.#mayLinkStill = hasAnswer;
    void this.#leave(sentences.cancelled, this.#requests).catch(this.#options.onCallFailed);
  }

  #enter(screen: Pick<PasskeyScreen, 'requests'>): void {
    const { client, state, relaysPasskey, onCallFailed, withdrawQr } = this.#options;
    if (state.current !== 'starting' && state.current !== 'qr') return;
    withdrawQr();
    // The code that was typed is used up.
    client.codes.beginQrs();
    if (relaysPasskey && this.#ceremony === null) {
      this.#ceremony = this.#beginCeremony(screen);
      this.#ceremony.begin().catch(onCallFailed);
    }
    this.#screenAt = performance.now();
    this.#publish();
  }

  #beginCeremony(screen: Pick<PasskeyScreen, 'requests'>): PasskeyCeremony {
    const { session, client, state, timing, onPasskeyOutcome } = this.#options;
    const onChange = () => {
      if (state.current === 'passkey_required') this.#publish();
    };
    const ceremony = new PasskeyCeremony(
      { session, client, timing, onChange, onOutcome: onPasskeyOutcome },
      screen,
    );
    state.ended.addEventListener('abort', () => ceremony.end('failed'), { once: true });
    return ceremony;
  }

  #publish(): void {
    const { status = null, secret = null, sentence = sentences.off } = this.#ceremony ?? {};
    this.#options.state.publish('passkey_required', { passkey: { status, secret }, lastError: sentence });
  }

  /** The page has left its screen to link, or is gone: it must be connected soon. */
  #endLateLinking(): void {
    const { state, timing } = this.#options;
    if (performance.now() - this.#screenAt <= timing.passkeyStepMs) return;
    const message = `WhatsApp Web did not connect within ${timing.passkeyStepMs / 1_000} s`;
    state.fail({ reason: 'start_failed', message });
  }

  /**
   * Back to QR codes. `why`: for the person, who has to scan again. `requests`: how often WhatsApp has asked; null: the page has left
   * its screen already.
   */
  async #leave(why: string, requests: number | null): Promise<void> {
    const { client, showCodes } = this.#options;
    this.#ceremony = null;
    showCodes(sentences.scanAgain(why));
    if (requests === null) return client.codes.refreshQr();
    this.#leftAtRequest = requests;
    this.#leftAt = performance.now();
    // If the page has linked, it must stay connected until it is logged out.
    const goesBackItself = this.#mayLinkStill;
    await client.pressPasskey('cancelPasskey').catch(() => undefined);
    if (!goesBackItself) await client.codes.backToQr();
  }

  /** The page still shows the request that was given up. */
  async #sendBack(): Promise<void> {
    if (performance.now() - this.#leftAt < goBackMs) return;
    this.#leftAt = performance.now();
    this.#mayLinkStill = false;
    await this.#options.client.codes.backToQr();
  }
}
