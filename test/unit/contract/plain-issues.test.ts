import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { z } from 'zod';
import { plainIssue, sentenceOf } from '../../../src/contract/plain-issues.js';

/** The problems of `value`, as sentences. */
function problems(schema: z.ZodType, value: unknown): string[] {
  const { error } = schema.safeParse(value, { error: plainIssue });
  return (error?.issues ?? []).map(({ path, message }) => sentenceOf({ path: path.join('.'), message }));
}

describe('a problem that a schema has no sentence for', () => {
  for (const [schema, value, sentence] of [
    [z.string(), 5, 'x must be text'],
    [z.string(), undefined, 'x is missing; it must be text'],
    [z.int(), 1.5, 'x must be a whole number'],
    [z.number(), '1', 'x must be a number'],
    [z.boolean(), null, 'x must be true or false'],
    [z.array(z.string()), {}, 'x must be a list'],
    [z.record(z.string(), z.string()), [], 'x must be an object'],
    [z.date(), 1, 'x must be of the type date'],
    [z.number().min(3), 2, 'x must be at least 3'],
    [z.number().positive(), 0, 'x must be more than 0'],
    [z.number().max(3), 4, 'x must be at most 3'],
    [z.number().lt(3), 3, 'x must be less than 3'],
    [z.string().min(2), 'a', 'x must have at least 2 characters'],
    [z.array(z.int()).max(1), [1, 2], 'x must have at most 1 items'],
    [z.enum(['a', 'b']), 'c', 'x must be one of a, b'],
    [z.literal('a'), 'c', 'x must be a'],
    [z.iso.datetime(), 'now', 'x must have the format datetime'],
    [z.int().multipleOf(2), 3, 'x must be a multiple of 2'],
    [z.strictObject({}), { y: 1 }, 'x has no field "y"'],
    [z.union([z.string(), z.int()]), null, 'x has none of the allowed forms'],
    [z.record(z.string().max(1), z.int()), { ab: 1 }, 'x.ab has a key that is not allowed'],
    [z.map(z.string(), z.int()), new Map([['a', 'b']]), 'x.a must be a number'],
    [z.string().refine(() => false), 'a', 'x is not allowed'],
  ] as const) {
    it(sentence, () => assert.deepEqual(problems(z.object({ x: schema }), { x: value }), [sentence]));
  }

  it('does not replace a sentence of the schema', () => {
    assert.deepEqual(problems(z.object({ x: z.string({ error: 'x must shine' }) }), { x: 5 }), [
      'x must shine',
    ]);
  });
});

describe('a sentence about a field', () => {
  for (const [path, message, sentence] of [
    ['', 'the body was cut off', 'the body was cut off'],
    ['limit', 'limit must be small', 'limit must be small'],
    ['limit', 'limits exist', 'limit: limits exist'],
    ['limit', 'must be small', 'limit must be small'],
    ['limit', 'given more than once', 'limit: given more than once'],
    ['evil', 'unknown field', 'evil: unknown field'],
  ] as const) {
    it(sentence, () => assert.equal(sentenceOf({ path, message }), sentence));
  }
});
