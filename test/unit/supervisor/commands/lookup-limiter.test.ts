import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LookupLimiter } from '../../../../src/supervisor/commands/lookup-limiter.js';

describe('look-ups', () => {
  it('are at most eight at once, and a hanging one gives up its slot', async () => {
    const lookups = new LookupLimiter(() => false);
    let begun = 0;
    const hang = () => {
      begun++;
      return new Promise<never>(() => undefined);
    };
    for (let i = 0; i < 8; i++) void lookups.run(hang);
    const answer = lookups.run(async () => 'answered');
    await Promise.resolve();
    assert.equal(begun, 8);
    assert.equal(await Promise.race([answer, 'not yet']), 'not yet');
    assert.equal(await answer, 'answered');
  });

  it('wait while enough messages are prepared', async () => {
    let isPaused = true;
    const lookups = new LookupLimiter(() => isPaused);
    const answer = lookups.run(async () => 'answered');
    assert.equal(
      await Promise.race([answer, new Promise((resolve) => setImmediate(resolve, 'paused'))]),
      'paused',
    );
    isPaused = false;
    lookups.startNext();
    assert.equal(await answer, 'answered');
  });

  it('start one by one while paused, as others have had their turn', async () => {
    const lookups = new LookupLimiter(() => true);
    const begun: number[] = [];
    for (const nth of [1, 2, 3]) void lookups.run(async () => begun.push(nth));
    assert.equal(lookups.startOne(), true);
    await new Promise(setImmediate);
    assert.deepEqual(begun, [1]);
    assert.equal(lookups.startOne(), true);
    await new Promise(setImmediate);
    assert.deepEqual(begun, [1, 2]);
    assert.equal(lookups.startOne(), true);
    assert.equal(lookups.startOne(), false, 'none waits');
  });
});
