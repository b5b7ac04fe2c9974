import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ApiError } from '../../../../src/contract/errors.js';
import { parseQuery, parseTarget } from '../../../../src/http/core/request-target.js';

describe('the request target', () => {
  it('is a path and a query', () => {
    assert.deepEqual(parseTarget('/api/status?a=1?b'), { path: '/api/status', search: '?a=1?b' });
    assert.deepEqual(parseTarget('/'), { path: '/', search: '' });
  });

  for (const target of ['http://localhost/', '*', 'api/status', '', '/a#b', '/a?b#c', '/ü', '/a b', '//a#']) {
    it(`${JSON.stringify(target)} is refused`, () => {
      assert.throws(() => parseTarget(target), { code: 'invalid_request' });
    });
  }

  it('has a query that is decoded once, with plus signs as spaces', () => {
    assert.deepEqual(parseQuery('?a=%2541&b=x+y&c&=d&__proto__=e'), {
      ...{ a: '%41', b: 'x y', c: '', '': 'd' },
      ['__proto__']: 'e',
    });
    assert.deepEqual(parseQuery(''), {});
  });

  it('may repeat no parameter, in any encoding', () => {
    for (const search of ['?a=1&a=2', '?a=1&%61=1', '?a&a']) {
      assert.throws(
        () => parseQuery(search),
        (error) =>
          error instanceof ApiError &&
          assert.deepEqual(error.details.issues, [{ path: 'a', message: 'given more than once' }]) ===
            undefined,
      );
    }
  });

  it('may have no broken escape', () => {
    for (const search of ['?a=%', '?%zz=1', '?a=%ff']) {
      assert.throws(() => parseQuery(search), { code: 'invalid_request' });
    }
  });
});
