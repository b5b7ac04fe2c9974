import { createHash } from 'node:crypto';
import type { PasskeyCredential } from '../../src/contract/passkey.js';

/** An answer that fits a request with this challenge, as far as it can be checked without WhatsApp. */
export function credentialFor(challenge: string): PasskeyCredential {
  const client = { type: 'webauthn.get', challenge, origin: 'https://web.whatsapp.com', crossOrigin: false };
  const data = Buffer.concat([
    createHash('sha256').update('whatsapp.com').digest(),
    Buffer.from([5, 0, 0, 0, 1]),
  ]);
  return {
    ...{ id: 'AAAA', rawId: 'AAAA', type: 'public-key', authenticatorAttachment: null },
    response: {
      clientDataJSON: Buffer.from(JSON.stringify(client)).toString('base64url'),
      authenticatorData: data.toString('base64url'),
      signature: 'c2lnbmF0dXJl',
    },
  };
}
