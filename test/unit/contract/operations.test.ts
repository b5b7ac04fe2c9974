import assert from 'node:assert/strict';
import { it } from 'node:test';
import { isForwarded, isOfDeployment, rows } from '../../../src/contract/operations.js';

it('the operations that are forwarded need no handler: neither local ones, nor jobs, nor those with an answer of their own', () => {
  const forwarded = rows.map(([name]) => name).filter(isForwarded);
  assert.deepEqual(forwarded.sort(), [
    'chats',
    'messages',
    'number',
    'passkeyCancel',
    'passkeyConfirm',
    'passkeyRetry',
    'react',
  ]);
});

it('the operations of the deployment that give rights are for unbound keys alone', () => {
  const wrong = rows.filter(
    ([name, { isForOperator, isForUnbound }]) => isOfDeployment(name) && isForOperator && !isForUnbound,
  );
  assert.deepEqual(wrong, []);
});
