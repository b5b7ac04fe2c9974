import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  appliedPreferences,
  parseIdempotencyKey,
  parsePreferences,
  requestIdOf,
} from '../../../../src/http/core/headers.js';

describe('Prefer: wait', () => {
  for (const [header, expected] of [
    ['wait=0', 0],
    ['wait=5', 5],
    ['wait=120', 120],
    ['WAIT = 7', 7],
    ['respond-async, wait=10', 10],
    ['wait="9"', 9],
    ['wait=3; x=y', 3],
    ['wait=121', null],
    ['wait=-1', null],
    ['wait=1.5', null],
    ['wait=soon', null],
    ['wait', null],
    ['wait=', null],
    ['wait=0x10', null],
    ['await=5', null],
    ['', null],
    [undefined, null],
  ] as const) {
    it(`${JSON.stringify(header)} is ${expected ?? 'ignored'}`, () => {
      assert.equal(parsePreferences(header).waitS, expected);
    });
  }
});

describe('Prefer: respond-async', () => {
  for (const [header, expected] of [
    ['respond-async', 'respond-async'],
    ['Respond-Async; x=y', 'respond-async'],
    ['wait=5, respond-async', 'respond-async, wait=5'],
    ['respond-asynchronously', null],
    ['return=minimal', null],
    ['wait=soon', null],
    ['wait=0', 'wait=0'],
  ] as const) {
    it(`${JSON.stringify(header)} ${expected === null ? 'applies nothing' : `is applied as ${expected}`}`, () => {
      assert.equal(appliedPreferences(parsePreferences(header)), expected);
    });
  }
});

describe('an idempotency key', () => {
  it('is 1-255 printable ASCII characters, or absent', () => {
    for (const key of ['a', 'order 4711/1', '~'.repeat(255)]) {
      assert.equal(parseIdempotencyKey([key]), key);
    }
    assert.equal(parseIdempotencyKey([]), null);
  });

  for (const [what, headers] of [
    ['empty', ['']],
    ['too long', ['x'.repeat(256)]],
    ['not ASCII', ['grün']],
    ['not printable', ['a\tb']],
    ['given twice', ['a', 'a']],
  ] as const) {
    it(`is refused when it is ${what}`, () => {
      assert.throws(() => parseIdempotencyKey(headers), { code: 'invalid_request' });
    });
  }
});

describe('a request id', () => {
  it('is that of the caller when it is printable and short', () => {
    for (const id of ['a', 'trace 1/2', '~'.repeat(128)]) assert.equal(requestIdOf(id), id);
  });

  it('is generated otherwise', () => {
    for (const id of ['', 'x'.repeat(129), 'grün', 'a\tb', undefined, ['a', 'b']]) {
      assert.match(requestIdOf(id), /^[0-9a-f-]{36}$/);
    }
  });
});
