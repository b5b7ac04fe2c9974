import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { z } from 'zod';
import { ApiError } from '../../../../src/contract/errors.js';
import { operations } from '../../../../src/contract/operations.js';
import { batched, coalesced, oneAtATime } from '../../../../src/http/core/coalesce.js';
import { appliedPreferences, parsePreferences } from '../../../../src/http/core/headers.js';
import { parseIdempotencyKey } from '../../../../src/http/core/idempotency-key.js';
import { requestIdOf } from '../../../../src/http/core/request-id.js';
import { parseQuery, parseTarget } from '../../../../src/http/core/request-target.js';
import { createTicker } from '../../../../src/http/core/ticker.js';
import { parseInput, queryReader } from '../../../../src/http/core/validation.js';
import { deferred } from '../../../../src/platform/deadline.js';

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
    it(`is refused where it is ${what}`, () => {
      assert.throws(() => parseIdempotencyKey(headers), { code: 'invalid_request' });
    });
  }
});

describe('a request id', () => {
  it('is the caller’s own where it is printable and short', () => {
    for (const id of ['a', 'trace 1/2', '~'.repeat(128)]) assert.equal(requestIdOf(id), id);
  });

  it('is made up otherwise', () => {
    for (const id of ['', 'x'.repeat(129), 'grün', 'a\tb', undefined, ['a', 'b']]) {
      assert.match(requestIdOf(id), /^[0-9a-f-]{36}$/);
    }
  });
});

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

  it('has its query decoded once, plus signs being spaces', () => {
    assert.deepEqual(parseQuery('?a=%2541&b=x+y&c&=d&__proto__=e'), {
      ...{ a: '%41', b: 'x y', c: '', '': 'd' },
      ['__proto__']: 'e',
    });
    assert.deepEqual(parseQuery(''), {});
  });

  it('may repeat no parameter, however it is spelt', () => {
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

  it('may not break an escape', () => {
    for (const search of ['?a=%', '?%zz=1', '?a=%ff']) {
      assert.throws(() => parseQuery(search), { code: 'invalid_request' });
    }
  });
});

describe('the input of an operation', () => {
  const schema = z.strictObject({ limit: z.coerce.number().int().max(100).default(20) });

  it('names every unknown field and every wrong one', () => {
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

  it('of a query takes the fields it knows and leaves the rest', () => {
    assert.deepEqual(queryReader(schema)({ limit: '5', utm: 'x', toString: 'y' }), { limit: 5 });
  });

  it('of a query takes digits for an integer and nothing else', () => {
    const read = queryReader(operations.messages.input);
    assert.deepEqual(read({ limit: '007', phone_number: '15551234567' }), {
      limit: 7,
      phone_number: '15551234567',
    });
    for (const limit of ['', ' 5', '5 ', '+5', '-5', '5.0', '1e1', '0x5', '٥', 'five']) {
      assert.deepEqual(read({ limit }), { limit });
    }
  });
});

describe('coalesced reads', () => {
  it('share one read among the callers of a turn', async () => {
    let reads = 0;
    const read = coalesced(async () => ++reads);
    assert.deepEqual(await Promise.all([read(), read(), read()]), [1, 1, 1]);
    assert.equal(await read(), 2);
  });

  it('are issued after their callers arrived', async () => {
    let value = 'old';
    const read = coalesced(async () => value);
    const answer = read();
    value = 'new';
    assert.equal(await answer, 'new');
  });

  it('are never joined once they are on their way', async () => {
    const answers = [deferred<string>(), deferred<string>()];
    const issued: string[] = [];
    const read = coalesced(() => {
      const answer = answers[issued.push('read') - 1];
      return (answer as { promise: Promise<string> }).promise;
    });
    const first = read();
    await new Promise(setImmediate);
    assert.equal(issued.length, 1);
    const second = read();
    answers[0]?.resolve('before');
    answers[1]?.resolve('after');
    assert.deepEqual([await first, await second], ['before', 'after']);
  });

  it('fail together and then begin anew', async () => {
    let reads = 0;
    const read = coalesced(async () => {
      if (++reads === 1) throw new Error('down');
      return reads;
    });
    const failed = await Promise.allSettled([read(), read()]);
    assert.deepEqual(
      failed.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    assert.equal(await read(), 2);
  });

  it('of many things are one read for the things asked for in a turn', async () => {
    const reads: (readonly string[])[] = [];
    const read = batched(async (keys: readonly string[]) => {
      reads.push(keys);
      return keys.map((key) => key.toUpperCase());
    });
    assert.deepEqual(await Promise.all([read('a'), read('b'), read('a')]), ['A', 'B', 'A']);
    assert.equal(await read('c'), 'C');
    assert.deepEqual(reads, [['a', 'b', 'a'], ['c']]);
  });
});

describe('reads one at a time', () => {
  it('share the next one among those who come while one is on its way', async (t) => {
    // It is never long on its way.
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const answers = [deferred<string>(), deferred<string>()];
    let issued = 0;
    const read = oneAtATime(() => (answers[issued++] as { promise: Promise<string> }).promise);
    const first = read();
    await new Promise(setImmediate);
    const second = read();
    await new Promise(setImmediate);
    const third = read();
    assert.equal(issued, 1);
    answers[0]?.resolve('before');
    answers[1]?.resolve('after');
    assert.deepEqual(await Promise.all([first, second, third]), ['before', 'after', 'after']);
    assert.equal(issued, 2);
  });

  it('do not wait for one that is never answered', async () => {
    let issued = 0;
    const read = oneAtATime(() =>
      ++issued === 1 ? new Promise<string>(() => undefined) : Promise.resolve('after'),
    );
    void read();
    await new Promise(setImmediate);
    assert.equal(await read(), 'after');
    assert.equal(await read(), 'after');
  });
});

describe('a ticker', () => {
  it('wakes all who wait in one turn, whenever they came', async () => {
    const untilTick = createTicker({ fewMs: 30, manyMs: 30, few: 1 });
    const turns: string[] = [];
    const first = untilTick().then(() => turns.push('first'));
    await new Promise((done) => setTimeout(done, 10));
    const second = untilTick().then(() => turns.push('second'));
    void first.then(() => setImmediate(() => turns.push('next turn')));
    await Promise.all([first, second]);
    await new Promise(setImmediate);
    assert.deepEqual(turns, ['first', 'second', 'next turn']);
  });

  it('ticks less often for many than for few', async () => {
    const untilTick = createTicker({ fewMs: 5, manyMs: 60_000, few: 2 });
    await Promise.all([untilTick(), untilTick()]);
    await Promise.all([untilTick(), untilTick(), untilTick()]);
    const leaving = new AbortController();
    let hasTicked = false;
    const tick = untilTick(leaving.signal).then(() => {
      hasTicked = true;
    });
    await new Promise((done) => setTimeout(done, 50));
    assert.equal(hasTicked, false);
    leaving.abort();
    await tick;
  });

  it('lets go of whoever leaves, and stops when nobody is left', async () => {
    const untilTick = createTicker({ fewMs: 60_000, manyMs: 60_000, few: 1 });
    const leaving = new AbortController();
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    const waits = [untilTick(leaving.signal), untilTick(leaving.signal)];
    assert.equal(timers(), before + 1);
    leaving.abort();
    await Promise.all([...waits, untilTick(leaving.signal)]);
    assert.equal(timers(), before);
  });
});
