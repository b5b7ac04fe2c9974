import type { Status } from '../contract/status.js';

type Qr = NonNullable<Status['qr']>;

/** WhatsApp issues codes in batches: the first is valid for 60 s, each other for 20 s. */
const firstCodeMs = 60_000;
const nextCodeMs = 20_000;

const secretBytes = 32;

/**
 * Why no phone accepts the text of a code (`ref,noise key,identity key,secret,platform`). null: it is valid. The reference is
 * missing while a phone links, and the secret while there is a pairing code.
 */
export function qrDefect(text: string): 'no-reference' | 'no-secret' | null {
  const [ref = '', , , secret = ''] = text.split(',');
  if (['', 'undefined', 'null'].includes(ref)) return 'no-reference';
  return Buffer.from(secret, 'base64').length === secretBytes ? null : 'no-secret';
}

/** Numbers the QR codes of one incarnation, and knows which of them can be scanned now. */
export class QrSeries {
  #text = '';
  #number = 0;
  #isBatchStart = true;
  #current: Qr | null = null;
  #expiresAt = Number.POSITIVE_INFINITY;

  /** The facts of a new code. null: the library has repeated the last one. */
  next(text: string, now = Date.now()): Qr | null {
    if (text === this.#text) return null;
    this.#text = text;
    this.#number++;
    const validMs = this.#isBatchStart ? firstCodeMs : nextCodeMs;
    this.#isBatchStart = false;
    this.#expiresAt = performance.now() + validMs;
    this.#current = {
      number: this.#number,
      issued_at: new Date(now).toISOString(),
      expires_at: new Date(now + validMs).toISOString(),
    };
    return this.#current;
  }

  isCurrent(qr: Qr): boolean {
    return this.#current === qr;
  }

  /** Withdraws the newest code if it has expired. Returns whether it did. */
  withdrawExpired(): boolean {
    if (this.#current === null || performance.now() < this.#expiresAt) return false;
    this.withdraw();
    return true;
  }

  /** Withdraws the newest code. Returns whether there was one. */
  withdraw(): boolean {
    const wasShown = this.#current !== null;
    this.#current = null;
    return wasShown;
  }

  /** The next code is the first of a batch. */
  beginBatch(): void {
    this.#isBatchStart = true;
  }
}
