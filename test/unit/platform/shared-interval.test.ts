import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onSharedInterval } from '../../../src/platform/shared-interval.js';
import { eventually } from '../../support/eventually.js';

test('listeners of one interval are called in the same turn, with the same number, until they stop', async () => {
  const turns: string[][] = [];
  let turn: string[] = [];
  const note = (name: string) => (tick: number) => {
    if (turn.length === 0)
      queueMicrotask(() => {
        turns.push(turn);
        turn = [];
      });
    turn.push(`${name} ${tick}`);
  };
  const stopA = onSharedInterval(7, note('a'));
  const stopB = onSharedInterval(7, note('b'));
  await eventually(() => turns.length >= 2);
  assert.deepEqual(turns.slice(0, 2), [
    ['a 1', 'b 1'],
    ['a 2', 'b 2'],
  ]);
  stopA();
  stopA();
  const seen = turns.length;
  await eventually(() => turns.length > seen);
  assert.equal(turns.at(-1)?.length, 1);
  assert.match(turns.at(-1)?.[0] ?? '', /^b /);
  stopB();
  // It begins anew, and leaves no timer behind.
  const stopC = onSharedInterval(7, note('c'));
  await eventually(() => turns.some(([first]) => first === 'c 1'));
  stopC();
});
