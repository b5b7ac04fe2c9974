import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { ApiKey } from '../../contract/access.js';
import { ApiError } from '../../contract/errors.js';
import { sha256 } from '../../platform/digest.js';
import type { Caller } from '../core/caller.js';
import { headerValues } from '../core/headers.js';

/** The configured API keys, in memory. */
export interface ApiKeys {
  readonly isEmpty: boolean;
  readonly all: readonly ApiKey[];
  /** Takes the same time for any text, so that the time reveals nothing about a key. */
  find(text: string): ApiKey | null;
  named(name: string): ApiKey | null;
}

export function createApiKeys(keys: readonly ApiKey[]): ApiKeys {
  const digests = keys.map((key) => ({ key, digest: Buffer.from(key.sha256, 'hex') }));
  const byName = new Map(keys.map((key) => [key.name, key]));
  return {
    isEmpty: keys.length === 0,
    all: keys,
    find(text) {
      const given = sha256(text);
      let found: ApiKey | null = null;
      for (const { key, digest } of digests) if (timingSafeEqual(given, digest)) found = key;
      return found;
    },
    named: (name) => byName.get(name) ?? null,
  };
}

/**
 * The key in `Authorization: Bearer` or `X-API-Key`; null if there is none. Other schemes of `Authorization` are ignored: they may
 * be for a proxy. Throws `unauthorized` if the request has two different keys.
 */
export function presentedKey(request: IncomingMessage): string | null {
  const bearers = headerValues(request, 'authorization').flatMap(
    (header) => /^Bearer +(.*)$/is.exec(header)?.[1]?.trim() ?? [],
  );
  const [first, ...more] = [...bearers, ...headerValues(request, 'x-api-key')];
  if (first === undefined) return null;
  if (more.some((key) => key !== first)) throw unauthorized('two different API keys were given');
  return first;
}

/** The error for a caller whose login or key ended during the request. */
export function accessEnded({ via }: Pick<Caller, 'via'>): ApiError {
  if (via === 'key') return unauthorized('this API key has ended');
  return unauthorized('the login of this browser has ended; log in again');
}

export function unauthorized(message: string): ApiError {
  return new ApiError('unauthorized', message, {
    headers: { 'www-authenticate': 'Bearer realm="holdline"' },
  });
}
