import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PasskeyCredential, PasskeyOptions } from '../../../src/contract/passkey.js';
import { credentialDefect } from '../../../src/session-worker/passkey-check.js';
import {
  credentialWith as answer,
  authenticatorData,
  challenge,
  clientData,
  present,
  verified,
} from '../../support/passkey-credential.js';

const options: PasskeyOptions = {
  challenge,
  rpId: 'whatsapp.com',
  allowCredentials: [],
  userVerification: 'required',
};
const withClient = (change: object) =>
  answer({ clientDataJSON: JSON.stringify({ ...clientData, ...change }) });

test('an answer that fits has no defect', () => {
  assert.equal(credentialDefect(answer(), options), null);
  const { crossOrigin: _, ...older } = clientData;
  assert.equal(credentialDefect(answer({ clientDataJSON: JSON.stringify(older) }), options), null);
});

const refused: readonly [string, PasskeyCredential, RegExp][] = [
  ['two ids', answer({ id: 'b3RoZXI' }), /`id` and `rawId` differ/],
  ['client data that is no JSON', answer({ clientDataJSON: '{' }), /not the JSON of a browser/],
  ['client data that is null', answer({ clientDataJSON: 'null' }), /not the JSON of a browser/],
  ['the creation of a passkey', withClient({ type: 'webauthn.create' }), /not the use of a passkey/],
  ['another challenge', withClient({ challenge: 'b3RoZXI' }), /for another request/],
  [
    'a site that looks alike',
    withClient({ origin: 'https://web.whatsapp.com.example' }),
    /not made on https/,
  ],
  ['another scheme', withClient({ origin: 'http://web.whatsapp.com' }), /not made on https/],
  ['no origin', withClient({ origin: undefined }), /not made on https/],
  ['a page inside another page', withClient({ crossOrigin: true }), /inside another page/],
  ['36 bytes of the authenticator', answer({ data: authenticatorData().subarray(0, 36) }), /too short/],
  ['another site', answer({ data: authenticatorData('web.whatsapp.com') }), /another site than whatsapp.com/],
  ['nobody present', answer({ data: authenticatorData('whatsapp.com', verified) }), /nobody confirmed/],
  [
    'no verification',
    answer({ data: authenticatorData('whatsapp.com', present) }),
    /fingerprint, face or PIN/,
  ],
];

for (const [what, credential, why] of refused) {
  test(`an answer is refused for ${what}`, () => {
    assert.match(credentialDefect(credential, options) ?? 'accepted', why);
  });
}

test('verification of the user is needed only where WhatsApp requires it', () => {
  const unverified = answer({ data: authenticatorData('whatsapp.com', present) });
  assert.equal(credentialDefect(unverified, { ...options, userVerification: 'preferred' }), null);
});

test('where WhatsApp names passkeys, only those are accepted', () => {
  const named = (id: string): PasskeyOptions => ({
    ...options,
    allowCredentials: [{ id, type: 'public-key' }],
  });
  assert.equal(credentialDefect(answer(), named('a2V5')), null);
  assert.match(credentialDefect(answer(), named('b3RoZXI')) ?? 'accepted', /another passkey/);
});
