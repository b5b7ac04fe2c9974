import type { PairingCode } from '../../contract/pairing-code.js';
import type { AgentCalls } from './agent-calls.js';

/** Min time between two requests for fresh QR codes if the first brought none. */
const refreshIntervalMs = 10_000;

/** After this many requests without a code, the next one reloads the page. */
const fruitlessRefreshesMax = 2;

interface LoginCodesOptions {
  readonly pairingCodeMs: number;
  /** A pairing code is requested, which voids the QR and the code before; and later, that there is one. */
  readonly onPairingCode: () => void;
  /** Another batch of QR codes is requested, or begins. Voids the QR and the pairing code. */
  readonly onFreshQrs: () => void;
}

/** Requests for QR and pairing codes in one page. A page has one kind at a time: a pairing code takes the QR's secret. */
export class LoginCodes {
  readonly #calls: AgentCalls;
  readonly #options: LoginCodesOptions;
  #pairingCodeUntil: number | null = null;
  #pairingCode: PairingCode | null = null;
  #refreshedAt = Number.NEGATIVE_INFINITY;
  #fruitlessRefreshes = 0;

  constructor(calls: AgentCalls, options: LoginCodesOptions) {
    this.#calls = calls;
    this.#options = options;
  }

  /** A code to type on the phone with this number. Voids the previous code and the QR. Rejects if WhatsApp refuses. */
  async requestPairingCode(digits: string, timeoutMs: number): Promise<PairingCode> {
    const { pairingCodeMs, onPairingCode } = this.#options;
    const expires_at = new Date(Date.now() + pairingCodeMs).toISOString();
    this.#pairingCodeUntil = performance.now() + pairingCodeMs;
    this.#pairingCode = null;
    onPairingCode();
    try {
      const code: unknown = await this.#calls.call('pairingCode', { digits, timeoutMs }, timeoutMs + 1_000);
      if (typeof code !== 'string' || code === '') throw new Error('its page gave no pairing code');
      this.#pairingCode = { code, phone_number: digits, expires_at };
      onPairingCode();
      return this.#pairingCode;
    } catch (error) {
      this.#pairingCodeUntil = performance.now();
      throw error;
    }
  }

  /** The code that a person can type on the phone now. */
  get pairingCode(): PairingCode | null {
    return this.hasPairingCode ? this.#pairingCode : null;
  }

  /** A pairing code is valid, or is being made: no QR can be scanned, and a fresh QR would void the code. */
  get hasPairingCode(): boolean {
    return this.#pairingCodeUntil !== null && performance.now() < this.#pairingCodeUntil;
  }

  /** The last pairing code expired, and the page has not gone back to QR codes since. */
  get hasPairingCodeExpired(): boolean {
    return this.#pairingCodeUntil !== null && performance.now() >= this.#pairingCodeUntil;
  }

  /** Call it for a QR code without a secret, which no phone accepts. Requests others, unless a pairing code has the secret. */
  async renewSecret(): Promise<void> {
    const isDue = performance.now() - this.#refreshedAt >= refreshIntervalMs;
    if (!this.hasPairingCode && isDue) await this.backToQr();
  }

  /** Cancels a pairing code or a passkey request. */
  async backToQr(): Promise<void> {
    this.#refreshedAt = performance.now();
    this.beginQrs();
    await this.#calls.call('backToQr', undefined);
  }

  /** A batch of QR codes begins: one was requested, or the page has loaded and knows nothing of an earlier pairing code. */
  beginQrs(): void {
    this.#pairingCodeUntil = null;
    this.#options.onFreshQrs();
  }

  /** Requests fresh QR codes, unless the last request is less than `refreshIntervalMs` old. */
  async refreshQr(): Promise<void> {
    if (performance.now() - this.#refreshedAt < refreshIntervalMs) return;
    this.#refreshedAt = performance.now();
    this.#fruitlessRefreshes++;
    const byReload = this.#fruitlessRefreshes > fruitlessRefreshesMax;
    if (byReload) this.#fruitlessRefreshes = 0;
    this.#options.onFreshQrs();
    await this.#calls.call('refreshQr', { byReload });
  }

  /** A fresh QR has arrived. */
  onQr(): void {
    this.#refreshedAt = Number.NEGATIVE_INFINITY;
    this.#fruitlessRefreshes = 0;
  }
}
