import type { Status } from '../contract/status.js';

type Qr = NonNullable<Status['qr']>;

/** WhatsApp hands out codes in batches: the first lives 60 s, the others 20 s each. */
const firstCodeMs = 60_000;
const nextCodeMs = 20_000;

/**
 * What keeps a phone from taking the text of a code: `ref,noise key,identity key,secret,platform`. The reference is taken back
 * while somebody links, the secret by a pairing code.
 */
export function faultOf(text: string): 'no-reference' | 'no-secret' | null {
  const [ref = '', , , secret = ''] = text.split(',');
  if (['', 'undefined', 'null'].includes(ref)) return 'no-reference';
  return Buffer.from(secret, 'base64').length === secretBytes ? null : 'no-secret';
}

const secretBytes = 32;

/** Numbers the codes of one attempt to log in, and knows which of them can be scanned now. */
export class QrSeries {
  #text = '';
  #number = 0;
  #isBatchStart = true;
  #current: Qr | null = null;
  #expiresAt = Number.POSITIVE_INFINITY;

  /** The code's place in the series; null for a text that is shown already (the library repeats itself). */
  next(text: string, now = Date.now()): Qr | null {
    if (text === this.#text) return null;
    this.#text = text;
    this.#number++;
    const lifeMs = this.#isBatchStart ? firstCodeMs : nextCodeMs;
    this.#isBatchStart = false;
    this.#expiresAt = performance.now() + lifeMs;
    this.#current = {
      number: this.#number,
      issued_at: new Date(now).toISOString(),
      expires_at: new Date(now + lifeMs).toISOString(),
    };
    return this.#current;
  }

  isCurrent(qr: Qr): boolean {
    return this.#current === qr;
  }

  /** True once after the newest code's life: it is withdrawn. */
  hasExpired(): boolean {
    if (this.#current === null || performance.now() < this.#expiresAt) return false;
    this.withdraw();
    return true;
  }

  /** The code cannot be scanned any more; whether there was one. */
  withdraw(): boolean {
    const wasShown = this.#current !== null;
    this.#current = null;
    return wasShown;
  }

  /** WhatsApp was asked for fresh codes. */
  newBatch(): void {
    this.withdraw();
    this.#isBatchStart = true;
  }
}
