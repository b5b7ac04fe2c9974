import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { accessList } from '../../../src/contract/redis-rights.js';

/** What the access list for Redis gives; that the product works under it is shown in integration/platform/redis/access. */
const list = readFileSync('docs/redis-users.acl', 'utf8');
const given = new Set(
  [...(/^user holdline .*$/m.exec(list)?.[0] ?? '').matchAll(/ \+(\S+)/g)].map(([, command]) => command),
);

test('docs/redis-users.acl is what the list of rights makes', () => {
  const wayOut = `node -e "import('../dist/src/contract/redis-rights.js').then((list) => process.stdout.write(list.accessList()))" > docs/redis-users.acl`;
  assert.equal(list, accessList(), `after a build: ${wayOut}`);
});

test('nothing is given by category, and nothing that reaches beyond the keys or ends what others have there', () => {
  assert.doesNotMatch(list, /\+@/);
  const apart = [
    ...['scan', 'keys', 'randomkey', 'dbsize', 'flushall', 'flushdb', 'swapdb', 'move', 'migrate', 'restore'],
    ...['function', 'fcall', 'script', 'config', 'acl', 'monitor', 'debug', 'module', 'shutdown', 'slaveof'],
    ...['replicaof', 'failover', 'client', 'client|list', 'client|kill', 'cluster', 'psubscribe', 'sort'],
  ];
  assert.deepEqual(
    apart.filter((command) => given.has(command)),
    [],
  );
});
