import { withDeadline } from '../platform/deadline.js';
import type { IncarnationState, ShownQr } from './incarnation-state.js';
import type { LoginKeeper } from './login-keeper.js';
import { encodeQr } from './qr-image.js';
import { QrSeries, qrDefect } from './qr-series.js';
import type { WhatsAppClient } from './whatsapp/client.js';
import * as exits from './whatsapp/exit-classifier.js';
import type { PageReport } from './whatsapp/in-page/linking.js';

/** How long the last report may take. A page that hangs or is gone gives none. */
const lastReportMs = 2_000;

interface DeviceLinkingOptions {
  readonly client: WhatsAppClient;
  readonly state: IncarnationState;
  readonly login: LoginKeeper;
  /** The profile was linked before. */
  readonly isLinked: boolean;
  /** How long WhatsApp may wait for a passkey before the page goes back to QR codes. */
  readonly passkeyMs: number;
  /** A call into the page failed. */
  readonly onCallFailed: (error: unknown) => void;
}

/** Links the device by QR codes, pairing codes and passkeys. Knows which of them a phone accepts now. */
export class DeviceLinking {
  readonly #options: DeviceLinkingOptions;
  readonly #qrs = new QrSeries();
  #isPairingShown = false;

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
    const wasShown = this.#qrs.withdraw() || this.#isPairingShown;
    if (wasShown) this.#republishCodes();
    this.#qrs.beginBatch();
  }

  /** The page has linked. */
  onLinked(): void {
    const { state, login, isLinked } = this.#options;
    this.#qrs.withdraw();
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
    const { state, passkeyMs } = this.#options;
    const { codes } = this.#options.client;
    if (report.asksForPasskey && (state.current === 'starting' || state.current === 'qr')) {
      this.#qrs.withdraw();
      state.publish('passkey_required');
    }
    if (state.current !== 'passkey_required') return false;
    if (report.asksForPasskey && state.ageMs <= passkeyMs) return true;
    if (!report.socketState?.startsWith('UNPAIRED')) return false;
    this.#publishCodes(null);
    await (report.asksForPasskey ? codes.backToQr() : codes.refreshQr());
    return true;
  }

  /** Publishes the state `qr` with the codes that a phone accepts now. */
  #publishCodes(qr: ShownQr | null): void {
    const { client, state } = this.#options;
    const { pairingCode } = client.codes;
    this.#isPairingShown = pairingCode !== null;
    state.publish('qr', { qr, pairingCode });
  }

  /** After a QR was withdrawn, or the pairing code has changed. */
  #republishCodes(): void {
    if (this.#options.state.current === 'qr') this.#publishCodes(null);
  }
}
