import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { z } from 'zod';
import type { ApiError } from '../../../../src/contract/errors.js';
import { operations } from '../../../../src/contract/operations.js';
import { invalidRequest, parseInput, queryReader } from '../../../../src/http/core/validation.js';

describe('the input of an operation', () => {
  const schema = z.strictObject({ limit: z.coerce.number().int().max(100).default(20) });

  it('is refused with every unknown and every invalid field', () => {
    const fields = JSON.parse('{"limit":101,"evil":1,"__proto__":{"x":1}}') as Record<string, unknown>;
    assert.throws(
      () => parseInput(schema, fields),
      (error: ApiError) => {
        const paths = (error.details.issues as { path: string }[]).map(({ path }) => path).sort();
        assert.deepEqual([error.code, paths], ['invalid_request', ['__proto__', 'evil', 'limit']]);
        return true;
      },
    );
  });

  it('takes the known fields of a query and ignores the rest', () => {
    assert.deepEqual(queryReader(schema)({ limit: '5', utm: 'x', toString: 'y' }), { limit: 5 });
  });

  it('takes only digits of a query for an integer', () => {
    const read = queryReader(operations.messages.input);
    assert.deepEqual(read({ limit: '007', phone_number: '15551234567' }), {
      limit: 7,
      phone_number: '15551234567',
    });
    for (const limit of ['', ' 5', '5 ', '+5', '-5', '5.0', '1e1', '0x5', '٥', 'five']) {
      assert.deepEqual(read({ limit }), { limit });
    }
  });

  it('is refused in one line, whatever names the client made up', () => {
    const { message } = invalidRequest([{ path: 'a\nb\u2028c', message: 'unknown field' }]);
    assert.equal(message, 'a b c: unknown field');
  });
});
