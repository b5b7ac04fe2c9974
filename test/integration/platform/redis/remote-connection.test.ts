import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, beforeEach, test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { pino } from 'pino';
import { sessionKeys } from '../../../../src/contract/keys.js';
import { timingSchema } from '../../../../src/contract/timing.js';
import { connectPatiently, disconnect } from '../../../../src/platform/redis/connection.js';
import { luaScript } from '../../../../src/platform/redis/lua-script.js';
import { quarantineUnreadable } from '../../../../src/platform/redis/quarantine.js';
import { rawScript } from '../../../../src/platform/redis/raw-script.js';
import { RemoteConnection, serveRemoteConnection } from '../../../../src/platform/redis/remote-connection.js';
import { eventually } from '../../../support/eventually.js';
import { assertNothingLeft } from '../../../support/leftovers.js';
import { logTo } from '../../../support/log-lines.js';
import { openRedis } from '../../../support/shared-redis.js';

const server = await openRedis();
const redis = connectPatiently(server.url, timingSchema.parse({}), pino({ level: 'silent' }));

beforeEach(() => redis.flushdb());

after(async () => {
  await disconnect(redis);
  await server.stop();
  await assertNothingLeft();
});

async function withRemote(
  work: (remote: RemoteConnection, log: Record<string, unknown>[]) => Promise<void>,
): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  const log: Record<string, unknown>[] = [];
  const closed = once(port1, 'close');
  serveRemoteConnection(port1, redis);
  const remote = new RemoteConnection(port2, logTo(log));
  try {
    await work(remote, log);
  } finally {
    remote.close();
    await closed;
  }
}

const { state, lids } = sessionKeys('t');

const store = luaScript<[number, string | null]>(
  'testStore',
  1,
  `redis.call('GET', KEYS[1])
   redis.call('SET', KEYS[1], ARGV[1])
   return {#ARGV[1], redis.call('GET', KEYS[1] .. ':missing')}`,
);

test('scripts and reads work through another thread, bytes and missing values too', () =>
  withRemote(async (remote) => {
    const bytes = Buffer.from([0, 255, 13, 10, 128]);
    assert.deepEqual(await store(remote, [state], [bytes]), [5, null]);
    assert.deepEqual(await redis.getBuffer(state), bytes);
    const read = await remote.getBuffer(state);
    assert.ok(Buffer.isBuffer(read));
    assert.deepEqual(read, bytes);
    assert.equal(await remote.getBuffer(lids), null);
    await redis.hset(lids, 'a', '1');
    assert.deepEqual(await remote.hmget(lids, 'a', 'b'), ['1', null]);
  }));

test('a key of a wrong type or an unreadable one is put into quarantine, and logged by the thread', () =>
  withRemote(async (remote, log) => {
    await redis.hset(state, 'field', 'value');
    await store(remote, [state], ['a state']);
    assert.equal(await redis.get(state), 'a state');
    assert.equal(await quarantineUnreadable(remote, state), true);
    assert.equal(await redis.exists(state), 0);
    await eventually(() => log.filter(({ key }) => key === state).length === 2);
  }));

test('an error of Redis has its name and text', () =>
  withRemote(async (remote) => {
    const broken = rawScript('testBroken', 1, "return redis.call('INCR', KEYS[1])");
    await redis.set(state, 'text');
    await assert.rejects(broken(remote, [state], []), { name: 'ReplyError', message: /not an integer/ });
    await redis.hset(lids, 'a', '1');
    await assert.rejects(remote.getBuffer(lids), { name: 'ReplyError', message: /WRONGTYPE/ });
  }));

test('calls without a reply are rejected when the connection closes, and later ones at once', async () => {
  const { port1, port2 } = new MessageChannel();
  const remote = new RemoteConnection(port2, pino({ level: 'silent' }));
  const closed = once(port1, 'close');
  const pending = remote.getBuffer(state);
  remote.close();
  await assert.rejects(pending, { message: 'Connection is closed.' });
  await assert.rejects(remote.hmget(lids, 'a'), { message: 'Connection is closed.' });
  port1.on('message', () => undefined);
  await closed;
});
