import { createHash, randomBytes } from 'node:crypto';
import type { AuthenticationResponseJSON } from '@simplewebauthn/server';

/** Assertions that a relying party must refuse, made from a right one. What the signature covers is changed, so it is wrong too. */

const USER_VERIFIED = 0x04;
const FLAGS_AT = 32;

/** As if made for another challenge, on another site, for another purpose or inside another site's page. */
export function withClientData(
  assertion: AuthenticationResponseJSON,
  changes: { challenge?: string; origin?: string; type?: string; crossOrigin?: boolean },
): AuthenticationResponseJSON {
  const data = JSON.parse(decode(assertion.response.clientDataJSON).toString()) as object;
  return withResponse(assertion, {
    clientDataJSON: encode(Buffer.from(JSON.stringify({ ...data, ...changes }))),
  });
}

export function withRpId(assertion: AuthenticationResponseJSON, rpId: string): AuthenticationResponseJSON {
  const data = decode(assertion.response.authenticatorData);
  createHash('sha256').update(rpId).digest().copy(data);
  return withResponse(assertion, { authenticatorData: encode(data) });
}

export function withoutUserVerification(assertion: AuthenticationResponseJSON): AuthenticationResponseJSON {
  const data = decode(assertion.response.authenticatorData);
  data.writeUInt8(data.readUInt8(FLAGS_AT) & ~USER_VERIFIED, FLAGS_AT);
  return withResponse(assertion, { authenticatorData: encode(data) });
}

/** The only fault that nobody but the server can see. */
export function withTamperedSignature(assertion: AuthenticationResponseJSON): AuthenticationResponseJSON {
  const signature = decode(assertion.response.signature);
  const last = signature.length - 1;
  signature.writeUInt8(signature.readUInt8(last) ^ 1, last);
  return withResponse(assertion, { signature: encode(signature) });
}

/** As if made with another passkey. */
export function withCredentialId(
  assertion: AuthenticationResponseJSON,
  id = garbage(32),
): AuthenticationResponseJSON {
  return { ...assertion, id, rawId: id };
}

/** Has the form of an assertion, with this many random bytes in each field of its response. */
export function garbageAssertion(bytes: number): AuthenticationResponseJSON {
  const id = garbage(32);
  return {
    id,
    rawId: id,
    type: 'public-key',
    clientExtensionResults: {},
    response: {
      clientDataJSON: garbage(bytes),
      authenticatorData: garbage(bytes),
      signature: garbage(bytes),
    },
  };
}

function withResponse(
  assertion: AuthenticationResponseJSON,
  changes: Partial<AuthenticationResponseJSON['response']>,
): AuthenticationResponseJSON {
  return { ...assertion, response: { ...assertion.response, ...changes } };
}

const garbage = (bytes: number) => encode(randomBytes(bytes));
const decode = (text: string) => Buffer.from(text, 'base64url');
const encode = (bytes: Buffer) => bytes.toString('base64url');
