import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type CredentialsKey, parseCredentialsKey } from '../../src/platform/credentials-keys.js';

/** Makes a key as an operator does. */
export function makeKeyText(): string {
  return randomBytes(32).toString('base64');
}

export function makeCredentialsKey(): CredentialsKey {
  const key = parseCredentialsKey(makeKeyText());
  assert.ok(key);
  return key;
}
