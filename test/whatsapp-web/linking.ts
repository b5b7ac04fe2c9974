import { randomBytes } from 'node:crypto';

/**
 * What WhatsApp's server knows about one account: its linked devices, and the refs issued to pages that want to be linked.
 * Holds the rules of a scan, without sockets or timers; time is passed in.
 */

/** The public keys that a page generated. They are part of its QR text. */
export interface PageKeys {
  readonly noise: string;
  readonly identity: string;
  /** null: a pairing code has cleared it. */
  readonly adv: string | null;
  readonly platform: string;
}

export interface Credentials {
  readonly id: string;
  readonly secret: string;
}

export interface Device extends Credentials {
  readonly linkedAt: number;
  /** The device name that its page reported. */
  readonly name: string;
}

export interface IssuedRef {
  readonly ref: string;
  /** The full text of the QR code that the page must show now. */
  qr: string;
  readonly pageId: string;
  readonly issuedAt: number;
  expiresAt: number;
  usedAt: number | null;
  isPageGone: boolean;
}

export const SCAN_REFUSALS = {
  'no-qr': 'No page shows a QR code at the moment.',
  'not-a-qr': 'This is not a WhatsApp QR code.',
  'unknown-ref': 'This QR code was not issued here.',
  used: 'This QR code has been used already.',
  expired: 'This QR code has expired.',
  'page-gone': 'The page that showed this QR code is gone.',
  'foreign-keys': 'The keys in this QR code are not those of the page it was issued to.',
  'unknown-code': 'No page shows this code.',
  'used-code': 'This code has been used already.',
  'replaced-code': 'The page has shown a newer code since.',
  'cancelled-code': 'The page has gone back to QR codes.',
  'expired-code': 'This code has expired.',
  'code-page-gone': 'The page that showed this code is gone.',
  'other-number': 'This code was asked for with another phone number.',
  'old-secret': 'The page has made a new secret since it showed this QR code.',
  'no-secret': 'The page has no secret for QR codes: it shows a pairing code.',
  'passkey-asked': 'WhatsApp asks for a passkey: go on in the browser.',
  'no-passkey-asked': 'No page is asked for a passkey.',
  'too-many-devices':
    'This phone is one account, and it has four linked devices: WhatsApp allows no more. Unlink one of them first.',
} as const;

export type ScanRefusal = keyof typeof SCAN_REFUSALS;

export type ScanResult =
  | { readonly linked: true; readonly deviceId: string }
  | { readonly linked: false; readonly reason: ScanRefusal; readonly message: string };

export const refuseScan = (reason: ScanRefusal): ScanResult & { linked: false } => ({
  linked: false,
  reason,
  message: SCAN_REFUSALS[reason],
});

export type ScannedQr =
  | { linked: true; device: Device; ref: IssuedRef }
  | (ScanResult & { readonly linked: false });

const MAX_LINKED_DEVICES = 4;

/** Used in a QR text if the page has no secret. */
const NO_SECRET = 'null';

export class Linking {
  readonly devices = new Map<string, Device>();
  readonly refs: IssuedRef[] = [];
  readonly #now: () => number;
  readonly #maxDevices: number;
  #devicesEver = 0;

  constructor(now: () => number = Date.now, maxDevices = MAX_LINKED_DEVICES) {
    this.#now = now;
    this.#maxDevices = maxDevices;
  }

  /** A page has one valid ref at a time: a new one ends the earlier ones. */
  issueRef(pageId: string, keys: PageKeys, lifetimeMs: number): IssuedRef {
    const now = this.#now();
    for (const earlier of this.refs) {
      if (earlier.pageId === pageId) earlier.expiresAt = Math.min(earlier.expiresAt, now);
    }
    const ref = `2@${randomBytes(48).toString('base64')}`;
    const issued = {
      ref,
      qr: qrText(ref, keys),
      pageId,
      issuedAt: now,
      expiresAt: now + lifetimeMs,
      usedAt: null,
      isPageGone: false,
    };
    this.refs.push(issued);
    return issued;
  }

  /** Updates the QR texts of a page that has a new secret, or none. A phone accepts only the current secret. */
  changeKeys(pageId: string, keys: PageKeys): void {
    for (const ref of this.refs) if (ref.pageId === pageId) ref.qr = qrText(ref.ref, keys);
  }

  /** The newest ref that a phone accepts now. */
  currentRef(): IssuedRef | undefined {
    return this.refs.findLast(
      (ref) =>
        ref.usedAt === null &&
        !ref.isPageGone &&
        ref.expiresAt > this.#now() &&
        secretOf(ref.qr) !== NO_SECRET,
    );
  }

  /** Makes the checks of a phone and its server. On success it uses the ref up and links a new device. */
  scan(text: string, nameOf: (pageId: string) => string = () => ''): ScannedQr {
    const ref = this.accept(text);
    if ('linked' in ref) return ref;
    const device = this.link(nameOf(ref.pageId));
    if (!device) return refuseScan('too-many-devices');
    ref.usedAt = this.#now();
    return { linked: true, device, ref };
  }

  /** The ref of this text, if a phone accepts it. */
  accept(text: string): IssuedRef | (ScanResult & { linked: false }) {
    const parts = text.split(',');
    if (parts.length !== 5 || parts.some((part) => part === '')) return refuseScan('not-a-qr');
    const ref = this.refs.find((issued) => issued.ref === parts[0]);
    if (!ref) return refuseScan('unknown-ref');
    if (ref.usedAt !== null) return refuseScan('used');
    if (ref.expiresAt <= this.#now()) return refuseScan('expired');
    if (ref.isPageGone) return refuseScan('page-gone');
    if (ref.qr === text) return parts[3] === NO_SECRET ? refuseScan('no-secret') : ref;
    const withCurrentSecret = parts.with(3, secretOf(ref.qr)).join(',');
    return refuseScan(withCurrentSecret === ref.qr ? 'old-secret' : 'foreign-keys');
  }

  /** Links another device; undefined: four are linked already. */
  link(name = ''): Device | undefined {
    if (this.devices.size >= this.#maxDevices) return undefined;
    this.#devicesEver += 1;
    const device = {
      id: `device-${this.#devicesEver}`,
      secret: randomBytes(24).toString('base64'),
      linkedAt: this.#now(),
      name,
    };
    this.devices.set(device.id, device);
    return device;
  }

  /** The device of these credentials; undefined: it is not linked. */
  authenticate(credentials: Credentials): Device | undefined {
    const device = this.devices.get(credentials.id);
    return device?.secret === credentials.secret ? device : undefined;
  }

  unlink(deviceId: string): boolean {
    return this.devices.delete(deviceId);
  }

  retirePage(pageId: string): void {
    for (const ref of this.refs) if (ref.pageId === pageId) ref.isPageGone = true;
  }
}

function qrText(ref: string, { noise, identity, adv, platform }: PageKeys): string {
  return [ref, noise, identity, adv ?? NO_SECRET, platform].join(',');
}

function secretOf(qr: string): string {
  return qr.split(',')[3] ?? '';
}
