import { covers, type Scope } from '../../contract/access.js';
import { ApiError } from '../../contract/errors.js';
import type { Visit } from './browser-logins.js';

/** Who asks, as far as that is known. */
export interface Caller {
  /** Of the API key; `''` where no keys are configured, or nothing is known. */
  readonly keyName: string;
  /** `qr`: the holder of a QR link, who sees the code and the bare state. null: nobody known. */
  readonly scope: Scope | 'qr' | null;
  /** How it was told; `configuration`: without keys, everybody may do everything. */
  readonly via: 'configuration' | 'key' | 'cookie';
  /** What a cookie stands for: it can end while the caller is answered. */
  readonly visit?: Visit;
}

/** Without keys the product is on loopback only, and whoever gets there owns it. */
export const anybody: Caller = { keyName: '', scope: 'admin', via: 'configuration' };

/** On a path that asks nobody. */
export const nobody: Caller = { keyName: '', scope: null, via: 'key' };

export interface Permission {
  /** `open`: everybody, without a key. */
  readonly scope: Scope | 'open';
  /** The holder of a QR link too. */
  readonly isForQrVisitors?: true;
}

/** Throws `forbidden`. */
export function authorize({ scope: granted }: Caller, { scope: needed, isForQrVisitors }: Permission): void {
  if (needed === 'open' || (granted === 'qr' && isForQrVisitors)) return;
  if (granted !== null && granted !== 'qr' && covers(granted, needed)) return;
  throw new ApiError('forbidden', `this takes the scope ${needed}; yours is ${granted ?? 'none'}`);
}
