import { parseJson } from '../contract/json.js';
import { type PasskeyCredential, type PasskeyOptions, whatsAppOrigin } from '../contract/passkey.js';
import { sha256 } from '../platform/digest.js';

/** Flags of the authenticator data. */
const userPresent = 0x01;
const userVerified = 0x04;

/** The length of authenticator data without extensions: hash, flags, counter. */
const authenticatorDataMin = 37;

/**
 * Why WhatsApp would refuse this answer; null: as far as can be told without the public key, it would not. An answer that fails here
 * does not use up WhatsApp's request.
 */
export function credentialDefect(credential: PasskeyCredential, options: PasskeyOptions): string | null {
  const { id, rawId, response } = credential;
  if (id !== rawId) return '`id` and `rawId` differ';
  return clientDataDefect(response.clientDataJSON, options) ?? authenticatorDefect(credential, options);
}

/** What the browser says about where the passkey was used. */
function clientDataDefect(text: string, { challenge }: PasskeyOptions): string | null {
  const parsed = parseJson(Buffer.from(text, 'base64url').toString());
  if (typeof parsed !== 'object' || parsed === null) return '`clientDataJSON` is not the JSON of a browser';
  const client: Readonly<Record<string, unknown>> = { ...parsed };
  if (client.type !== 'webauthn.get') return 'it is not the use of a passkey (`type` is not `webauthn.get`)';
  if (client.challenge !== challenge) return 'it was made for another request; copy the command again';
  if (client.origin !== whatsAppOrigin) return `it was not made on ${whatsAppOrigin}`;
  if (client.crossOrigin === true) return 'it was made in a page inside another page';
  return null;
}

function authenticatorDefect(
  { id, response }: PasskeyCredential,
  { rpId, userVerification, allowCredentials }: PasskeyOptions,
): string | null {
  const data = Buffer.from(response.authenticatorData, 'base64url');
  if (data.length < authenticatorDataMin) return '`authenticatorData` is too short';
  const flags = data[32] ?? 0;
  const isOfSite = data.subarray(0, 32).equals(sha256(rpId));
  if (!isOfSite) return `the passkey is for another site than ${rpId}`;
  if ((flags & userPresent) === 0) return 'nobody confirmed the use of the passkey';
  if (userVerification === 'required' && (flags & userVerified) === 0) {
    return 'the passkey did not check who used it (fingerprint, face or PIN)';
  }
  const isAllowed = allowCredentials.length === 0 || allowCredentials.some((each) => each.id === id);
  return isAllowed ? null : 'WhatsApp asks for another passkey';
}
