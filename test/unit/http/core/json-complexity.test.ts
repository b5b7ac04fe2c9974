import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ApiError } from '../../../../src/contract/errors.js';
import { assertSimpleJson } from '../../../../src/http/core/json-complexity.js';

const most = 1_000;

function outcome(text: string): string {
  try {
    assertSimpleJson(Buffer.from(text));
    return 'simple';
  } catch (error) {
    assert.ok(error instanceof ApiError && error.code === 'invalid_request');
    return error.message;
  }
}

/** Counts the values of parsed JSON. */
function valuesIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return 1 + Object.values(value).reduce<number>((sum, each) => sum + valuesIn(each), 0);
}

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

const tooMany = `the JSON of a body may have at most ${most} values`;
const tooDeep = `the JSON of a body may have at most 16 levels`;

describe('the values in a piece of JSON', () => {
  it('may be a thousand, as members, as elements and in any depth', () => {
    const members = (count: number) => `{${Array.from({ length: count }, (_, i) => `"${i}":1`).join()}}`;
    const elements = (count: number) => `[${Array(count).fill('{}').join(' , ')}]`;
    const pairs = (count: number) => `[${Array(count).fill('[1]').join()}]`;
    for (const [simple, complex] of [
      [members(most - 1), members(most)],
      [elements(most - 1), elements(most)],
      [pairs(most / 2 - 1), pairs(most / 2)],
    ] as const) {
      assert.deepEqual([outcome(simple), outcome(complex)], ['simple', tooMany]);
    }
  });

  it('may be sixteen levels deep, in either kind of bracket', () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      const nested = (depth: number) => open.repeat(depth) + (open === '[' ? '' : '1') + close.repeat(depth);
      assert.deepEqual([outcome(nested(16)), outcome(nested(17))], ['simple', tooDeep]);
    }
    assert.equal(outcome('['.repeat(500_000)), tooDeep);
  });

  it('do not include brackets and commas within strings', () => {
    for (const text of [
      '[,'.repeat(5_000),
      '\\"[,'.repeat(5_000),
      '\\',
      '\\\\"',
      '\u20ac[{,"'.repeat(1_000),
    ]) {
      assert.equal(outcome(JSON.stringify({ message: text })), 'simple');
      assert.equal(outcome(JSON.stringify({ [text]: text, more: Array(most).fill('[,') })), tooMany);
    }
  });

  it('are not counted in invalid JSON, which the parser refuses', () => {
    for (const text of [
      '',
      ' ',
      '{',
      '"',
      '"\\',
      '}]',
      ']'.repeat(5_000),
      '{"a":1,}',
      'undefined',
      '"a" "b"',
    ]) {
      assert.equal(outcome(text), 'simple', text.slice(0, 20));
    }
  });

  it('are counted correctly for any JSON, with or without whitespace', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 20 }), fc.constantFrom(0, 2), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        const parsed: unknown = JSON.parse(text);
        const expected = depthOf(parsed) > 16 ? tooDeep : 'simple';
        assert.equal(outcome(text), expected);
        // Padded to the bound and one beyond it.
        const room = most - 1 - valuesIn(parsed);
        if (expected !== 'simple' || room < 1 || depthOf(parsed) > 15) return;
        const padded = (count: number) => `[${text},${Array(count).fill('null').join()}]`;
        assert.deepEqual([outcome(padded(room)), outcome(padded(room + 1))], ['simple', tooMany]);
      }),
    );
  });
});
