import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { pino } from 'pino';
import { connectFailFast, connectPatiently } from '../../../../src/platform/redis/connection.js';
import { needsReconnect } from '../../../../src/platform/redis/connection-group.js';
import { eventually } from '../../../support/eventually.js';
import { freePort } from '../../../support/free-port.js';
import { assertNothingLeft } from '../../../support/leftovers.js';
import { logTo } from '../../../support/log-lines.js';
import { bulk, noHello, startScriptedRedis } from '../../../support/scripted-redis.js';

after(assertNothingLeft);

const log = pino({ level: 'silent' });

test('a reply that means that the master has moved is recognized, also within a script’s error', () => {
  for (const reply of [
    "READONLY You can't write against a read only replica.",
    "READONLY You can't write against a read only replica. script: 8b2ae6dd, on @user_script:1.",
    "ERR Error running script (call to f_8b2ae6dd): @user_script:1: @user_script: 1: -READONLY You can't write against a read only replica.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    'NOAUTH Authentication required.',
    'UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)',
  ]) {
    assert.ok(needsReconnect(reply), reply);
  }
  for (const reply of [
    'WRONGTYPE Operation against a key holding the wrong kind of value',
    "OOM command not allowed when used memory > 'maxmemory'.",
    "NOPERM this user has no permissions to run the 'set' command",
    "ERR unknown command 'READONLY', with args beginning with: ",
    'NOSCRIPT No matching script. Please use EVAL.',
  ]) {
    assert.ok(!needsReconnect(reply), reply);
  }
});

test('while every write is refused, all connections reconnect about once a second', async () => {
  const redis = await startScriptedRedis(([command]) => {
    if (command === 'hello') return noHello;
    if (command === 'info') return bulk('role:master\r\n');
    if (command === 'get') return bulk('old');
    return "-READONLY You can't write against a read only replica.\r\n";
  });
  const url = `redis://127.0.0.1:${redis.port}`;
  const writer = connectPatiently(url, { socketTimeoutMs: 10_000 }, log);
  const reader = connectFailFast(url, 5_000, log);
  let readerConnections = 0;
  reader.on('ready', () => {
    readerConnections++;
  });
  try {
    await eventually(() => reader.status === 'ready' && writer.status === 'ready');
    const startedAt = performance.now();
    await eventually(async () => {
      await assert.rejects(writer.incr('x'), /READONLY/);
      return readerConnections >= 4;
    });
    const seconds = (performance.now() - startedAt) / 1_000;
    assert.ok(readerConnections - 1 <= seconds + 1, `${readerConnections} connections in ${seconds} s`);
    assert.ok(redis.made <= 2 * (seconds + 2), `${redis.made} connections in ${seconds} s`);
  } finally {
    writer.disconnect();
    reader.disconnect();
    await redis.close();
  }
});

test('a refused write does not reconnect the connections to another Redis', async () => {
  const answers = (write: string) => (words: readonly string[]) => {
    if (words[0] === 'hello') return noHello;
    return words[0] === 'info' ? bulk('role:master\r\n') : write;
  };
  const refusing = await startScriptedRedis(answers('-READONLY no\r\n'));
  const other = await startScriptedRedis(answers(':1\r\n'));
  const patiently = (port: number) =>
    connectPatiently(`redis://127.0.0.1:${port}`, { socketTimeoutMs: 10_000 }, log);
  const [writer, unrelated] = [patiently(refusing.port), patiently(other.port)];
  try {
    assert.equal(await unrelated.incr('x'), 1);
    await assert.rejects(writer.incr('x'), /READONLY/);
    await eventually(() => refusing.made === 2);
    assert.equal(other.made, 1);
  } finally {
    writer.disconnect();
    unrelated.disconnect();
    await Promise.all([refusing.close(), other.close()]);
  }
});

test('an outage and its end are one line each, however many connections there are', async () => {
  const lines: Record<string, unknown>[] = [];
  const log = logTo(lines);
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  const timing = { socketTimeoutMs: 10_000 };
  // The first one leaves outages to the others.
  const connections = [
    connectPatiently(url, timing, log.child({}, { level: 'error' })),
    connectPatiently(url, timing, log),
    connectFailFast(url, 5_000, log),
  ];
  let failures = 0;
  for (const redis of connections) redis.on('error', () => failures++);
  await eventually(() => failures > 6);
  const server = await startScriptedRedis(
    ([command]) => (command === 'hello' ? noHello : bulk('role:master\r\n')),
    port,
  );
  try {
    await eventually(() => connections.every(({ status }) => status === 'ready'));
    assert.deepEqual(
      lines.map(({ msg }) => msg),
      ['Redis is not reachable; reconnecting', 'Redis is reachable again'],
    );
  } finally {
    for (const redis of connections) redis.disconnect();
    await server.close();
  }
});
