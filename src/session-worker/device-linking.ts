import type { SessionWorkerTiming } from '../contract/thread-messages.js';
import { withDeadline } from '../platform/deadline.js';
import type { IncarnationState, ShownQr } from './incarnation-state.js';
import type { LoginKeeper } from './login-keeper.js';
import { PasskeyLinking } from './passkey-linking.js';
import type { OnOutcome } from './passkey-request.js';
import { encodeQr } from './qr-image.js';
import { QrSeries, qrDefect } from './qr-series.js';
import type { WhatsAppClient } from './whatsapp/client.js';
import * as exits from './whatsapp/exit-classifier.js';
import type { PageReport } from './whatsapp/in-page/linking.js';

/** How long the last report may take. A page that hangs or is gone gives none. */
const lastReportMs = 2_000;

interface DeviceLinkingOptions {
  readonly session: string;
  readonly client: WhatsAppClient;
  readonly state: IncarnationState;
  readonly login: LoginKeeper;
  /** The profile was linked before. */
  readonly isLinked: boolean;
  readonly timing: SessionWorkerTiming;
  /** Passkeys can be given here. */
  readonly relaysPasskey: boolean;
  readonly onPasskeyOutcome: OnOutcome;
  /** A person has cancelled, and the page has linked all the same. */
  readonly onLinkedAfterCancel: () => void;
  /** A call into the page failed. */
  readonly onCallFailed: (error: unknown) => void;
}

/** Links the device by QR codes, pairing codes and passkeys. Knows which of them a phone accepts now. */
export class DeviceLinking {
  readonly #options: DeviceLinkingOptions;
  readonly #qrs = new QrSeries();
  readonly passkey: PasskeyLinking;
  #isPairingShown = false;

  constructor(options: DeviceLinkingOptions) {
    this.#options = options;
    this.passkey = new PasskeyLinking({
      ...options,
      withdrawQr: () => void this.#qrs.withdraw(),
      showCodes: (lastError) => this.#publishCodes(null, lastError),
    });
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
    this.passkey.onReload();
    const wasShown = this.#qrs.withdraw() || this.#isPairingShown;
    if (wasShown) this.#republishCodes();
    this.#qrs.beginBatch();
  }

  /** The page has linked. False: after it was cancelled. */
  onLinked(): boolean {
    const { state, login, isLinked, onLinkedAfterCancel } = this.#options;
    this.#qrs.withdraw();
    if (this.passkey.isCancelledLink) {
      onLinkedAfterCancel();
      return false;
    }
    this.passkey.onLinked();
    state.publish('authenticated');
    if (!isLinked) void login.post(null).catch(() => undefined);
    return true;
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
