import { createHash } from 'node:crypto';
import type { PasskeyCredential } from '../../src/contract/passkey.js';

/** What a browser signs besides, for a request with the challenge {@link challenge}. */
export const challenge = 'Y2hhbGxlbmdl';
export const clientData = {
  type: 'webauthn.get',
  challenge,
  origin: 'https://web.whatsapp.com',
  crossOrigin: false,
};

/** What an authenticator says of the person. */
export const present = 0x01;
export const verified = 0x04;

export function authenticatorData(rpId = 'whatsapp.com', flags = present | verified): Buffer {
  return Buffer.concat([createHash('sha256').update(rpId).digest(), Buffer.from([flags, 0, 0, 0, 1])]);
}

/** An answer that fits, as far as it can be checked without WhatsApp, with these parts changed. */
export function credentialWith(
  parts: { id?: string; clientDataJSON?: string; data?: Buffer } = {},
): PasskeyCredential {
  const { id = 'a2V5', clientDataJSON = JSON.stringify(clientData), data = authenticatorData() } = parts;
  return {
    ...{ id, rawId: 'a2V5', type: 'public-key', authenticatorAttachment: null },
    response: {
      clientDataJSON: base64url(clientDataJSON),
      authenticatorData: base64url(data),
      signature: base64url('not checked here'),
    },
  };
}

function base64url(data: string | Buffer): string {
  return Buffer.from(data).toString('base64url');
}
