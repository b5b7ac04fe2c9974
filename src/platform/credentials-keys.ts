import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';

/** A key that seals the backup of credentials. Prints as nothing that could be used. */
export interface CredentialsKey {
  /** Derived from the key, to tell keys apart; says nothing about it. */
  readonly id: string;
  readonly secret: KeyObject;
}

/** What makes a key; for messages to an operator. */
export const makeKeyHint = 'openssl rand -base64 32';

/** null: not base64 of 32 bytes. */
export function parseCredentialsKey(text: string): CredentialsKey | null {
  if (!/^[A-Za-z0-9+/]{43}=$/.test(text)) return null;
  const bytes = Buffer.from(text, 'base64');
  const id = createHmac('sha256', bytes).update('holdline credentials key').digest('hex').slice(0, 16);
  return { id, secret: createSecretKey(bytes) };
}
