import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { parseAs } from '../../../src/contract/json.js';

const schema = z.object({ count: z.number().default(1) });

test('a text that the schema accepts is parsed', () => {
  assert.deepEqual(parseAs(schema, '{"count":2}'), { count: 2 });
  assert.deepEqual(parseAs(schema, '{}'), { count: 1 });
});

test('no text, bad JSON, and JSON of another shape are null', () => {
  for (const text of [null, undefined, '', '{', 'null', '[]', '{"count":"2"}']) {
    assert.equal(parseAs(schema, text), null, String(text));
  }
});
