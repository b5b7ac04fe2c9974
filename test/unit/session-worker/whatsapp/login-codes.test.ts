import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AgentCalls } from '../../../../src/session-worker/whatsapp/agent-calls.js';
import { LoginCodes } from '../../../../src/session-worker/whatsapp/login-codes.js';

/** The codes of a page that answers every call with this. */
function codesOf(answer: unknown): LoginCodes {
  const calls = { call: async () => answer } as unknown as AgentCalls;
  const nothing = () => undefined;
  return new LoginCodes(calls, { pairingCodeMs: 1_000, onPairingCode: nothing, onFreshQrs: nothing });
}

describe('a pairing code', () => {
  it('is the text that the page gives', async () => {
    const codes = codesOf('ABCD1234');
    const before = Date.now();
    const made = await codes.requestPairingCode('15551234567', 100);
    assert.deepEqual([made.code, made.phone_number], ['ABCD1234', '15551234567']);
    assert.ok(Date.parse(made.expires_at) >= before + 1_000);
    assert.equal(codes.hasPairingCode, true);
    assert.deepEqual(codes.pairingCode, made);
  });

  it('is void once the page has loaded again', async () => {
    const codes = codesOf('ABCD1234');
    await codes.requestPairingCode('15551234567', 100);
    codes.beginQrs();
    assert.deepEqual(
      [codes.hasPairingCode, codes.hasPairingCodeExpired, codes.pairingCode],
      [false, false, null],
    );
  });

  for (const answer of [null, '', 7, { code: 'ABCD1234' }]) {
    it(`is not ${JSON.stringify(answer)}`, async () => {
      const codes = codesOf(answer);
      await assert.rejects(codes.requestPairingCode('15551234567', 100), /its page gave no pairing code/);
      assert.equal(codes.hasPairingCode, false);
      assert.equal(codes.pairingCode, null);
    });
  }
});
