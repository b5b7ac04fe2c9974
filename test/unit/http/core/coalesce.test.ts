import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { batched, coalesced, createTicker, oneAtATime } from '../../../../src/http/core/coalesce.js';
import { deferred } from '../../../../src/platform/deadline.js';

describe('coalesced reads', () => {
  it('share one read among the callers of one turn', async () => {
    let reads = 0;
    const read = coalesced(async () => ++reads);
    assert.deepEqual(await Promise.all([read(), read(), read()]), [1, 1, 1]);
    assert.equal(await read(), 2);
  });

  it('are issued after their callers have arrived', async () => {
    let value = 'old';
    const read = coalesced(async () => value);
    const answer = read();
    value = 'new';
    assert.equal(await answer, 'new');
  });

  it('are never joined once they are issued', async () => {
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

  it('of several keys are one read for all keys of a turn', async () => {
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
  it('share the next read among the callers that come during one', async (t) => {
    // The read must not become overdue.
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

  it('do not wait for a read without an answer', async () => {
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
  it('wakes all waiting callers in one turn', async () => {
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

  it('ticks less often for many callers than for few', async () => {
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

  it('releases a caller that leaves, and stops without callers', async () => {
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
