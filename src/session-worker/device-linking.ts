import type { PasskeyOutcome } from '../contract/passkey.js';
import type { SessionWorkerTiming } from '../contract/thread-messages.js';
import { withDeadline } from '../platform/deadline.js';
import type { IncarnationState, ShownQr } from './incarnation-state.js';
import type { LoginKeeper } from './login-keeper.js';
import { PasskeyCeremony } from './passkey-ceremony.js';
import { notAllowed } from './passkey-request.js';
import * as passkeySentences from './passkey-sentences.js';
import { encodeQr } from './qr-image.js';
import { QrSeries, qrDefect } from './qr-series.js';
import type { WhatsAppClient } from './whatsapp/client.js';
import * as exits from './whatsapp/exit-classifier.js';
import type { PageReport } from './whatsapp/in-page/linking.js';
import type { PasskeyScreen } from './whatsapp/in-page/passkey.js';
import type { RelayAnswer } from './whatsapp/in-page/passkey-relay.js';

/** How long the last report may take. A page that hangs or is gone gives none. */
const lastReportMs = 2_000;

interface DeviceLinkingOptions {
  readonly client: WhatsAppClient;
  readonly state: IncarnationState;
  readonly login: LoginKeeper;
  /** The profile was linked before. */
  readonly isLinked: boolean;
  readonly timing: SessionWorkerTiming;
  /** Passkeys can be given: the page's requests come to {@link DeviceLinking.onPasskeyAsked}. */
  readonly relaysPasskey: boolean;
  readonly onPasskeyOutcome: (outcome: PasskeyOutcome, answeredMs: number | null) => void;
  /** A call into the page failed. */
  readonly onCallFailed: (error: unknown) => void;
}

/** Links the device by QR codes, pairing codes and passkeys. Knows which of them a phone accepts now. */
export class DeviceLinking {
  readonly #options: DeviceLinkingOptions;
  readonly #qrs = new QrSeries();
  #isPairingShown = false;
  #ceremony: PasskeyCeremony | null = null;
  /** The request that was given up: the page may still show its screen for a moment. -1: none. */
  #leftAtRequest = -1;
  /** How often WhatsApp has asked the page, as it last reported. */
  #requests = 0;
  /** When the page last showed its screen for a passkey. */
  #screenAt = 0;

  constructor(options: DeviceLinkingOptions) {
    this.#options = options;
  }

  /** The library has emitted a QR. */
  async onQr(text: string): Promise<void> {
    const { client, state, isLinked, onCallFailed } = this.#options;
    if (!['starting', 'qr', 'authenticated', 'ready'].includes(state.current)) return;
    // A linked page shows a QR only when its login is void or lost; a login by this QR would not be saved.
    if (isLinked || state.current === 'ready') return state.fail(exits.exitOfMissingLogin());
    const defect = client.codes.hasPairingCode ? 'void' : qrDefect(text);
    if (defect !== null) {
      this.withdrawQr();
      if (defect === 'no-secret') await client.codes.renewSecret().catch(onCallFailed);
      return;
    }
    const qr = this.#qrs.next(text);
    if (qr === null) return;
    client.codes.onQr();
    const image = await encodeQr(text);
    if (this.#qrs.isCurrent(qr) && state.current !== 'passkey_required') this.#publishCodes({ image, qr });
  }

  withdrawQr(): void {
    if (this.#qrs.withdraw()) this.#republishCodes();
  }

  /** A pairing code is requested, or it is there. */
  onPairingCode(): void {
    const { pairingCode } = this.#options.client.codes;
    const wasShown = this.#qrs.withdraw() || this.#isPairingShown;
    if (wasShown || pairingCode !== null) this.#republishCodes();
  }

  /** The next QR is the first of a batch. */
  beginBatch(): void {
    if (this.#options.state.current === 'passkey_required') this.#losePasskey();
    const wasShown = this.#qrs.withdraw() || this.#isPairingShown;
    if (wasShown) this.#republishCodes();
    this.#qrs.beginBatch();
  }

  /** The page has linked. */
  onLinked(): void {
    const { state, login, isLinked } = this.#options;
    this.#qrs.withdraw();
    this.#ceremony?.end('linked');
    this.#ceremony = null;
    state.publish('authenticated');
    if (!isLinked) void login.post(null).catch(() => undefined);
  }

  /** Whether the page has linked since its last report. */
  async hasLinkedUnnoticed(): Promise<boolean> {
    const { client, state } = this.#options;
    if (!state.isUnlinked) return false;
    const report = await withDeadline(client.report(), lastReportMs, 'the page').catch(() => null);
    return report?.socketState === 'CONNECTED';
  }

  /** In the state `qr`: withdraws codes that no phone accepts, and requests fresh ones when the page has run out of them. */
  async updateCodes(report: PageReport): Promise<void> {
    const { codes } = this.#options.client;
    const isIdle = report.socketState === 'UNPAIRED_IDLE';
    if (this.#qrs.withdrawExpired()) this.#republishCodes();
    if (isIdle || codes.hasPairingCode) this.withdrawQr();
    // Fresh QR codes would void the pairing code that a person is typing.
    if (codes.hasPairingCode) return;
    if (codes.hasPairingCodeExpired) return codes.backToQr();
    if (isIdle) await codes.refreshQr();
  }

  /** Enters and leaves the state `passkey_required`. True: WhatsApp waits for a passkey, so the page must not be disturbed. */
  async updatePasskey(report: PageReport): Promise<boolean> {
    const { state, timing } = this.#options;
    const screen = report.passkey;
    const isUnpaired = report.socketState?.startsWith('UNPAIRED') ?? false;
    // Without a connection the page tells nothing of its screen.
    if (screen !== null || isUnpaired) this.#requests = screen?.requests ?? 0;
    if (screen === null && isUnpaired) this.#leftAtRequest = -1;
    if (screen !== null && screen.requests > this.#leftAtRequest) this.#enterPasskey(screen);
    if (state.current !== 'passkey_required' || report.socketState === 'CONNECTED') return false;
    if (screen !== null) this.#screenAt = performance.now();
    else if (isUnpaired) {
      this.#ceremony?.end('cancelled');
      await this.#leavePasskey(passkeySentences.closed, null);
      return true;
    } else if (this.#ceremony?.hasAnswer || report.socketState === null) {
      this.#endLateLinking();
      return false;
    }
    const tooOld = state.ageMs > timing.passkeyMs ? passkeySentences.abandoned : null;
    const why = this.#ceremony === null ? tooOld : this.#ceremony.follow(screen);
    if (why === null) return true;
    this.#ceremony?.end('failed');
    await this.#leavePasskey(why, this.#requests);
    return true;
  }

  /** The page asks for the passkey, after so many requests of WhatsApp. Settles with the answer to its call. */
  onPasskeyAsked(options: unknown, requests: number): Promise<RelayAnswer> {
    const { state, relaysPasskey } = this.#options;
    // Given up: the page may still be about to ask.
    const isLeft = state.current === 'qr' && this.#leftAtRequest >= 0;
    if (state.isBeforeLink && relaysPasskey && !isLeft) {
      // A page that asks by itself needs no press of its button.
      this.#ceremony ??= this.#beginCeremony({ requests });
      this.#enterPasskey({ requests });
      return this.#ceremony.ask(options, requests);
    }
    return Promise.resolve(notAllowed);
  }

  onPasskeyAborted(): void {
    this.#ceremony?.abort();
  }

  /** The open request for a passkey; null: there is none. */
  get ceremony(): PasskeyCeremony | null {
    return this.#options.state.current === 'passkey_required' ? this.#ceremony : null;
  }

  /** A person gives the request up. The page goes back to QR codes afterwards. Throws an {@link ApiError} if it is not the open one. */
  cancelPasskey(id: string): void {
    this.#ceremony?.cancel(id);
    void this.#leavePasskey(passkeySentences.cancelled, this.#requests).catch(this.#options.onCallFailed);
  }

  #enterPasskey(screen: Pick<PasskeyScreen, 'requests'>): void {
    const { client, state, relaysPasskey, onCallFailed } = this.#options;
    if (state.current !== 'starting' && state.current !== 'qr') return;
    this.#qrs.withdraw();
    // The code that was typed is used up.
    client.codes.beginQrs();
    if (relaysPasskey && this.#ceremony === null) {
      this.#ceremony = this.#beginCeremony(screen);
      this.#ceremony.begin().catch(onCallFailed);
    }
    this.#screenAt = performance.now();
    this.#publishPasskey();
  }

  #beginCeremony(screen: Pick<PasskeyScreen, 'requests'>): PasskeyCeremony {
    const { client, timing, onPasskeyOutcome } = this.#options;
    const onChange = () => {
      if (this.#options.state.current === 'passkey_required') this.#publishPasskey();
    };
    const ceremony = new PasskeyCeremony({ client, timing, onChange, onOutcome: onPasskeyOutcome }, screen);
    this.#options.state.ended.addEventListener('abort', () => ceremony.end('failed'), { once: true });
    return ceremony;
  }

  #publishPasskey(): void {
    const { status = null, secret = null, sentence = passkeySentences.off } = this.#ceremony ?? {};
    this.#options.state.publish('passkey_required', { passkey: { status, secret }, lastError: sentence });
  }

  /** The page was loaded again: its request is lost. */
  #losePasskey(): void {
    this.#ceremony?.end('failed');
    this.#ceremony = null;
    this.#publishCodes(null, passkeySentences.scanAgain(passkeySentences.reloaded));
  }

  /** The page has left its screen to link, and must be connected soon. */
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
  async #leavePasskey(why: string, requests: number | null): Promise<void> {
    const { client } = this.#options;
    this.#ceremony = null;
    this.#publishCodes(null, passkeySentences.scanAgain(why));
    if (requests === null) return client.codes.refreshQr();
    this.#leftAtRequest = requests;
    await client.pressPasskey('cancelPasskey').catch(() => undefined);
    await client.codes.backToQr();
  }

  /** Publishes the state `qr` with the codes that a phone accepts now. */
  #publishCodes(qr: ShownQr | null, lastError: string | null = null): void {
    const { client, state } = this.#options;
    const { pairingCode } = client.codes;
    this.#isPairingShown = pairingCode !== null;
    state.publish('qr', { qr, pairingCode, lastError });
  }

  /** After a QR was withdrawn, or the pairing code has changed. */
  #republishCodes(): void {
    if (this.#options.state.current === 'qr') this.#publishCodes(null);
  }
}
