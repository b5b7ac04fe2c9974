import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authorize, type Caller, mayReach } from '../../../../src/http/core/caller.js';

const caller = (scope: Caller['scope']): Caller => ({ keyName: 'ops', scope, via: 'key', boundTo: null });

test('a caller without the right is told which key is needed, and which one it has', () => {
  const refusal = (scope: Caller['scope'], needed: 'read' | 'admin') => () =>
    authorize(caller(scope), { scope: needed });
  assert.throws(refusal('read', 'admin'), { message: 'this needs an admin key; yours is a read key' });
  assert.throws(refusal('guest', 'read'), { message: 'this needs a read key; you have none' });
  assert.doesNotThrow(refusal('admin', 'read'));
});

test('a bound caller may not use what is only for unbound ones, whatever its scope', () => {
  const bound: Caller = { ...caller('admin'), boundTo: ['shop'] };
  const permission = { scope: 'read', isForUnbound: true } as const;
  assert.throws(() => authorize(bound, permission), {
    code: 'forbidden',
    message: 'this is only for keys that are not bound; yours is',
  });
  assert.doesNotThrow(() => authorize(bound, { scope: 'read' }));
  assert.doesNotThrow(() => authorize(caller('admin'), permission));
  assert.deepEqual(
    ['shop', 'other'].map((name) => mayReach(bound, name)),
    [true, false],
  );
  assert.ok(mayReach(caller('read'), 'other'));
});
