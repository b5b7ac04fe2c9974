import assert from 'node:assert/strict';
import { it } from 'node:test';
import { isToken, newToken } from '../../../../src/http/auth/tokens.js';

it('a new token has the form of a token, and each is another', () => {
  const tokens = Array.from({ length: 100 }, newToken);
  assert.ok(tokens.every(isToken));
  assert.equal(new Set(tokens).size, tokens.length);
  for (const text of ['', 'a'.repeat(42), 'a'.repeat(44), `${'a'.repeat(42)}/`])
    assert.ok(!isToken(text), text);
});
