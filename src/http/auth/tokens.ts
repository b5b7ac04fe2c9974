import { randomBytes } from 'node:crypto';

/** The secret in a cookie or a QR link: 32 random bytes in base64url. */
export function newToken(): string {
  return randomBytes(32).toString('base64url');
}

export function isToken(text: string): boolean {
  return /^[\w-]{43}$/.test(text);
}
