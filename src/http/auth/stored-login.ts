import { z } from 'zod';
import type { ApiKey } from '../../contract/access.js';
import { parseAs } from '../../contract/json.js';
import { defaultSession } from '../../contract/names.js';
import { sha256Hex } from '../../platform/digest.js';
import type { MadeKey } from '../../platform/store/made-keys.js';
import type { ApiKeys } from './api-keys.js';

/** The login that the cookie of a browser names. */
export interface BrowserLogin {
  /** `key`: the browser logged in with an API key. `guest`: it opened a link. */
  readonly kind: 'key' | 'guest';
  /** Redis key of the login. */
  readonly redisKey: string;
  /** Redis key of the account that the login is for. A guest's login ends with that account. */
  readonly accountKey: string;
}

/**
 * A login or a link in Redis, with the name and fingerprint of its API key. `digest`: the sha256 of the key, if it was made while the
 * product ran. Only links and guest logins have `session` and `account`. `account`: how many accounts of the session had ended when the
 * link was made. Earlier versions did not write these two.
 */
const storedLoginSchema = z.object({
  name: z.string(),
  key: z.string(),
  digest: z.string().nullable().default(null),
  session: z.string().default(defaultSession),
  account: z.int().default(0),
});

export type StoredLogin = z.infer<typeof storedLoginSchema>;

/** null: there is none, or it cannot be read. */
export function parseStoredLogin(json: string | null | undefined): StoredLogin | null {
  return parseAs(storedLoginSchema, json);
}

/** `key`: null without keys. */
export function storedLoginJson(key: ApiKey | MadeKey | null, session?: string): string {
  const digest = key !== null && 'created_at' in key ? key.sha256 : undefined;
  return JSON.stringify({
    name: key?.name ?? '',
    key: key === null ? '' : fingerprint(key),
    digest,
    session,
  });
}

/** The API key of a login or link; null if the key has been removed or changed. `madeKey`: the one of the login's `digest`. */
export function keyOfLogin(
  { name, key: stored, digest }: StoredLogin,
  apiKeys: ApiKeys,
  madeKey: MadeKey | null,
): ApiKey | null {
  const key = digest === null ? apiKeys.named(name) : madeKey;
  return key !== null && fingerprint(key) === stored ? key : null;
}

/** Distinguishes a key from a later one of the same name, or with another binding, without revealing it. */
function fingerprint({ sha256, sessions }: ApiKey): string {
  const bound = sessions === null ? sha256 : sha256Hex(`${sha256}:${[...sessions].sort().join('|')}`);
  return bound.slice(0, 16);
}
