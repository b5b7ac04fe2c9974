import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { CredentialsKey } from './credentials-keys.js';

const ivBytes = 12;
const tagBytes = 16;

/**
 * Encrypts with AES-256-GCM under a random IV. Returns IV, ciphertext and tag, in this order. `identity`: what the text is bound to; it
 * is needed again to decrypt it.
 */
export function encrypt(plain: Buffer, key: CredentialsKey, identity: Buffer): Buffer {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv('aes-256-gcm', key.secret, iv, { authTagLength: tagBytes });
  cipher.setAAD(identity);
  return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Throws if it was not encrypted with this key for this identity, or was changed since. */
export function decrypt(encrypted: Buffer, key: CredentialsKey, identity: Buffer): Buffer {
  if (encrypted.length < ivBytes + tagBytes) throw new Error('it is too short');
  const decipher = createDecipheriv('aes-256-gcm', key.secret, encrypted.subarray(0, ivBytes), {
    authTagLength: tagBytes,
  });
  decipher.setAAD(identity);
  decipher.setAuthTag(encrypted.subarray(-tagBytes));
  return Buffer.concat([decipher.update(encrypted.subarray(ivBytes, -tagBytes)), decipher.final()]);
}
