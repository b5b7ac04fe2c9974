import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { accessList } from '../../docs/access-list.js';

/** The access list for Redis. integration/platform/redis/access shows that the product works with it. */
const list = readFileSync('docs/redis-users.acl', 'utf8');
const given = new Set(
  [...(/^user holdline .*$/m.exec(list)?.[0] ?? '').matchAll(/ \+(\S+)/g)].map(([, command]) => command),
);

test('docs/redis-users.acl is generated from the list of rights', () => {
  assert.equal(list, accessList(), 'run npm run docs');
});

test('the list gives no category, and no command that reaches foreign keys, scripts or connections', () => {
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
