import { covers, type Scope } from '../../contract/access.js';
import { ApiError } from '../../contract/errors.js';

/** Who a request is from, and what a route asks of its caller. */

export interface Caller {
  /** Name of the API key; `''` without configured keys, or if nobody was identified. */
  readonly keyName: string;
  /** `guest`: somebody without a key, who may only use routes for guests. null: nobody was identified. */
  readonly scope: Scope | 'guest' | null;
  /** How the caller was identified. `configuration`: no keys are configured, so everybody may do everything. */
  readonly via: 'configuration' | 'key' | 'cookie';
  /** Present if a cookie identified the caller. It can end while a request is answered. */
  readonly login?: BrowserLogin;
}

/** The login that a browser's cookie stands for. */
export interface BrowserLogin {
  /** `key`: somebody logged in with an API key. `guest`: somebody opened a link. */
  readonly kind: 'key' | 'guest';
  /** Redis key of the login. */
  readonly redisKey: string;
  /** Redis key of the account that the login is for. A guest's login ends with that account. */
  readonly accountKey: string;
}

/** The caller of an open route: nobody is asked for a key. */
export const anonymous: Caller = { keyName: '', scope: null, via: 'key' };

export interface Permission {
  /** `open`: no key is needed. */
  readonly scope: Scope | 'open';
  /** Guests may use it too. */
  readonly isForGuests?: true;
}

/** Throws `forbidden` if the caller may not use the route. */
export function authorize({ scope: granted }: Caller, { scope: needed, isForGuests }: Permission): void {
  if (needed === 'open' || (granted === 'guest' && isForGuests)) return;
  if (granted !== null && granted !== 'guest' && covers(granted, needed)) return;
  throw new ApiError('forbidden', `this takes the scope ${needed}; yours is ${granted ?? 'none'}`);
}

/** Who the caller is to limits: the key; without one, the address. */
export function callerName({ keyName }: Caller, address: () => string): string {
  return keyName === '' ? `address:${address()}` : `key:${keyName}`;
}
