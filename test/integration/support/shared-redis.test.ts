import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Redis } from 'ioredis';
import { assertNothingLeft } from '../../support/leftovers.js';
import type { RedisServer } from '../../support/redis-server.js';
import {
  openRedis,
  type RedisForData,
  sharedRedisVariable,
  startSharedRedis,
} from '../../support/shared-redis.js';

let server: RedisServer;
let places: readonly RedisForData[];
let clients: readonly Redis[];
const variable = process.env[sharedRedisVariable];

before(async () => {
  server = await startSharedRedis();
  process.env[sharedRedisVariable] = server.url;
  places = await Promise.all([openRedis(), openRedis()]);
  clients = places.map(({ url }) => new Redis(url));
});
after(async () => {
  if (variable === undefined) delete process.env[sharedRedisVariable];
  else process.env[sharedRedisVariable] = variable;
  for (const client of clients) client.disconnect();
  await server.stop();
  await assertNothingLeft();
});

test('each test file has its own database on the shared server', async () => {
  const [one, other] = clients as [Redis, Redis];
  await one.set('mine', 'kept');
  assert.equal(await other.get('mine'), null);
  await other.flushdb();
  assert.equal(await one.get('mine'), 'kept');
  await places[0]?.stop();
  assert.equal(await one.get('mine'), null, 'emptied at the end of the file');
});

test('commands that affect the whole server are refused', async () => {
  const [one] = clients as [Redis];
  for (const command of [
    ['flushall'],
    ['config', 'set', 'maxmemory', '1'],
    ['config', 'resetstat'],
    ['swapdb', '0', '1'],
    ['shutdown', 'nosave'],
  ] as const) {
    const [name, ...args] = command;
    await assert.rejects(one.call(name, ...args), /NOPERM/);
  }
});
