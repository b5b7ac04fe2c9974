import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { composeStatus, neverStarted, storedStatus } from '../../../src/contract/status.js';

const facts = neverStarted({ auth_dir: '', chrome_executable: '', headless: true, session: 'default' });
/** In bytes. */
const statusText = 2_048;

describe('a status', () => {
  it('keeps a text of 2,048 bytes, and cuts a longer one', () => {
    const withError = (length: number) =>
      composeStatus(facts, { state: 'qr', lastError: 'e'.repeat(length), account: null }, null);
    const whole = withError(statusText);
    assert.equal(storedStatus(whole), whole);
    assert.deepEqual(storedStatus(withError(statusText + 1)), whole);
  });
});
