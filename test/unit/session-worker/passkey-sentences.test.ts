import assert from 'node:assert/strict';
import { test } from 'node:test';
import { passkeySteps } from '../../../src/contract/passkey.js';
import * as sentences from '../../../src/session-worker/passkey-sentences.js';

test('each step has sentences of its own', () => {
  const failures = passkeySteps.map((step) => sentences.ofStep(step, null));
  assert.equal(new Set(failures).size, passkeySteps.length);
  const refusals = passkeySteps.map(sentences.notThisStep);
  assert.equal(new Set(refusals).size, passkeySteps.length);
});

test("the page's reason is added, and a timeout is said in words", () => {
  assert.match(
    sentences.ofStep('phone', 'server_error'),
    /did not accept the passkey \(its reason: server_error\)/,
  );
  assert.equal(sentences.ofStep('phone', 'timeout'), 'the phone did not go on in time');
  assert.equal(sentences.ofStep('code', 'timeout'), 'nobody confirmed the code in time');
});

test('with WHATSAPP_PASSKEY=off nobody is sent to the page that cannot help', () => {
  assert.match(sentences.required('/qr'), /the page \/qr says/);
  assert.doesNotMatch(sentences.off, /\/qr/);
  assert.match(sentences.off, /WHATSAPP_PASSKEY=off/);
});
