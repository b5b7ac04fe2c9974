import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cutText, jsonBytes } from '../../../src/contract/json-size.js';

describe('cutText', () => {
  it('cuts a text to its bytes as JSON, between two characters', () => {
    for (const part of ['a', '"', '\\', '\n', '\u0001', '\u007f', 'é', '€', '😀', '\ud800', '\udc00x']) {
      const text = part.repeat(50);
      for (const most of [0, 1, 5, 6, 7, 40, 99, 1_000]) {
        const cut = cutText(text, most);
        assert.ok(text.startsWith(cut) && jsonBytes(cut) - 2 <= most, JSON.stringify([part, most]));
        const next = String.fromCodePoint(text.codePointAt(cut.length) ?? 0);
        if (cut !== text) assert.ok(jsonBytes(cut + next) - 2 > most, JSON.stringify([part, most]));
      }
    }
    assert.equal(cutText('😀😀', 7), '😀');
  });
});
