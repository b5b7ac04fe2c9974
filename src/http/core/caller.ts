import { covers, type Scope } from '../../contract/access.js';
import { ApiError } from '../../contract/errors.js';

/** The caller of a request, and the permission that a route needs. */

export interface Caller {
  /** Name of the API key; `''` without configured keys, or if the caller was not identified. */
  readonly keyName: string;
  /** Names the key where it is stored. Absent: the key is configured. */
  readonly madeKey?: string;
  /** `guest`: a caller without a key, who may only use routes for guests. null: the caller was not identified. */
  readonly scope: Scope | 'guest' | null;
  /** How the caller was identified. `configuration`: no keys are configured, so every caller may do everything. */
  readonly via: 'configuration' | 'key' | 'cookie';
  /** The names that the caller may learn of and use; null: all. */
  readonly boundTo: readonly string[] | null;
  /**
   * Present if what identified the caller can end while a request is answered: a login, or a key that is not configured. Then `onEnd`
   * is called once. Returns the function that cancels this.
   */
  readonly watchLogin?: (onEnd: () => void) => () => void;
}

/** The caller of an open route, which asks for no key. */
export const anonymous: Caller = { keyName: '', scope: null, via: 'key', boundTo: null };

export interface Permission {
  /** `open`: no key is needed. */
  readonly scope: Scope | 'open';
  /** Guests may use it too. */
  readonly isForGuests?: true;
  /** It tells of everything, or changes what is everybody's: bound callers may not use it. */
  readonly isForUnbound?: true;
}

/** Throws `forbidden` if the caller may not use the route. */
export function authorize({ scope: granted, boundTo }: Caller, permission: Permission): void {
  const { scope: needed, isForGuests, isForUnbound } = permission;
  if (needed === 'open' || (granted === 'guest' && isForGuests)) return;
  if (granted !== null && granted !== 'guest' && covers(granted, needed)) {
    if (!isForUnbound || boundTo === null) return;
    throw new ApiError('forbidden', 'this is only for keys that are not bound; yours is');
  }
  const held = granted === null || granted === 'guest' ? 'you have none' : `yours is ${aKey(granted)}`;
  throw new ApiError('forbidden', `this needs ${aKey(needed)}; ${held}`);
}

/** Whether something of this name exists for the caller. To one who may not reach it, it does not. */
export function mayReach({ boundTo }: Caller, name: string): boolean {
  return boundTo === null || boundTo.includes(name);
}

function aKey(scope: Scope): string {
  return `${scope === 'admin' ? 'an' : 'a'} ${scope} key`;
}

/** The name under which limits count the caller: the key, or without one the address. */
export function callerName({ keyName }: Caller, address: () => string): string {
  return keyName === '' ? `address:${address()}` : `key:${keyName}`;
}
