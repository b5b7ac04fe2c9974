import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

/** What the access list for Redis gives; that the product works under it is shown in integration/redis-access. */
const list = readFileSync('docs/redis-users.acl', 'utf8');
const given = new Set(
  [...(/^user holdline .*$/m.exec(list)?.[0] ?? '').matchAll(/ \+(\S+)/g)].map(([, command]) => command),
);

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(join('src', name), 'utf8'));

test('each command that our scripts call is given', () => {
  const called = new Set(
    sources.flatMap((text) =>
      [...text.matchAll(/redis\.p?call\('(\w+)'/g)].map(([, command]) => command?.toLowerCase()),
    ),
  );
  assert.ok(called.size > 20);
  assert.deepEqual(
    [...called].filter((command) => !given.has(command)),
    [],
  );
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
