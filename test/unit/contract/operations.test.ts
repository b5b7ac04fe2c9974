import assert from 'node:assert/strict';
import { it } from 'node:test';
import { isForwarded, rows } from '../../../src/contract/operations.js';

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
