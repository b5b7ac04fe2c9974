import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FairScheduler } from '../../../../src/http/connections/fair-scheduler.js';
import { eventually } from '../../../support/eventually.js';

describe('requests of several addresses', () => {
  it('begin at once when each is the first of its address', () => {
    const scheduler = new FairScheduler();
    const begun: string[] = [];
    for (const address of ['a', 'b', 'c']) scheduler.run(address, () => begun.push(address));
    assert.deepEqual(begun, ['a', 'b', 'c']);
  });

  it('take turns, so that a busy address delays only itself', async () => {
    const scheduler = new FairScheduler();
    const begun: string[] = [];
    for (let i = 0; i < 3; i++) scheduler.run('flood', () => begun.push(`flood ${i}`));
    for (let i = 0; i < 2; i++) scheduler.run('owner', () => begun.push(`owner ${i}`));
    assert.deepEqual(begun, ['flood 0', 'owner 0'], 'the first of each');
    await nextTurn();
    assert.deepEqual(begun.slice(2), ['flood 1', 'owner 1', 'flood 2']);
  });

  it('leave turns of the event loop to others, and a new address does not wait', async () => {
    const scheduler = new FairScheduler();
    let done = 0;
    const slow = () => {
      const until = performance.now() + 2;
      while (performance.now() < until);
      done++;
    };
    for (let i = 0; i < 20; i++) scheduler.run('flood', slow);
    await nextTurn();
    const before = done;
    assert.ok(before < 20, 'not all in one turn');
    let isBegun = false;
    scheduler.run('owner', () => {
      isBegun = true;
    });
    assert.ok(isBegun);
    await eventually(() => done === 20);
  });
});
