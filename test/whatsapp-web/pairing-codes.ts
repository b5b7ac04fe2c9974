import { randomInt } from 'node:crypto';
import { type Device, type Linking, refuseScan, type ScanResult } from './linking.js';

/** Links by a code that the page shows and the owner types on the phone. Time is passed in. */

export interface IssuedCode {
  readonly code: string;
  /** The number for which it was issued, as digits. Only the phone with this number can use it. */
  readonly phone: string;
  readonly pageId: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
  usedAt: number | null;
  /** Why it became void before it was used or expired. */
  voidBecause: 'replaced-code' | 'cancelled-code' | 'code-page-gone' | null;
}

const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTVWXYZ';
const CODE_LENGTH = 8;

export class PairingCodes {
  readonly issued: IssuedCode[] = [];
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** A page has one valid code at a time. */
  issue(pageId: string, phone: string, lifetimeMs: number): IssuedCode {
    this.retire(pageId, 'replaced-code');
    const code = Array.from({ length: CODE_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
    const issuedAt = this.#now();
    const issued: IssuedCode = {
      code,
      phone,
      pageId,
      issuedAt,
      expiresAt: issuedAt + lifetimeMs,
      usedAt: null,
      voidBecause: null,
    };
    this.issued.push(issued);
    return issued;
  }

  /** The newest code that the phone accepts now. */
  current(): IssuedCode | undefined {
    return this.issued.findLast(
      (code) => code.usedAt === null && code.voidBecause === null && code.expiresAt > this.#now(),
    );
  }

  /** The phone with this number enters a code. Spaces, dashes and small letters are allowed. */
  enter(
    typed: string,
    phone: string,
    linking: Linking,
    nameOf: (pageId: string) => string = () => '',
  ): { linked: true; device: Device; pageId: string } | (ScanResult & { linked: false }) {
    const code = this.accept(typed, phone);
    if ('linked' in code) return code;
    const device = linking.link(nameOf(code.pageId));
    if (!device) return refuseScan('too-many-devices');
    code.usedAt = this.#now();
    return { linked: true, device, pageId: code.pageId };
  }

  /** The issued code, if it can be used. */
  accept(typed: string, phone: string): IssuedCode | (ScanResult & { linked: false }) {
    const text = String(typed).toUpperCase().replace(/[\s-]/g, '');
    const code = this.issued.findLast((issued) => issued.code === text);
    if (!code) return refuseScan('unknown-code');
    if (code.usedAt !== null) return refuseScan('used-code');
    if (code.voidBecause) return refuseScan(code.voidBecause);
    if (code.expiresAt <= this.#now()) return refuseScan('expired-code');
    return code.phone === phone ? code : refuseScan('other-number');
  }

  retire(pageId: string, because: NonNullable<IssuedCode['voidBecause']>): void {
    for (const code of this.issued) if (code.pageId === pageId) code.voidBecause ??= because;
  }
}
