import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { pino } from 'pino';
import { timingSchema } from '../../../../src/contract/timing.js';
import { batchedScript } from '../../../../src/platform/redis/batched-script.js';
import { connectPatiently, disconnect } from '../../../../src/platform/redis/connection.js';
import { assertNothingLeft } from '../../../support/leftovers.js';
import { startRedis } from '../../../support/redis-server.js';

const server = await startRedis();
const redis = connectPatiently(server.url, timingSchema.parse({}), pino({ level: 'silent' }));

/** How many scripts were sent to Redis so far. */
async function scriptsSent(): Promise<number> {
  const stats = await redis.info('commandstats');
  const calls = [...stats.matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+)/gm)].map(([, count]) => Number(count));
  return calls.reduce((sum, count) => sum + count, 0);
}

beforeEach(() => redis.flushdb());

after(async () => {
  await disconnect(redis);
  await server.stop();
  await assertNothingLeft();
});

/** Sets the key, unless it has the value already; returns what was there before. */
const swap = batchedScript<string | null>(
  'testSwap',
  1,
  1,
  `local before = redis.call('GET', KEYS[1])
   if before == ARGV[1] then return before end
   redis.call('SET', KEYS[1], ARGV[1])
   return before`,
);

const names = (count: number) => Array.from({ length: count }, (_, i) => `{wa}:s:t-${i}:state`);

test('calls of one turn are one command, and each gets its own result', async () => {
  await redis.set('{wa}:s:t-1:state', 'old');
  const before = await scriptsSent();
  const results = await Promise.all(names(3).map((key, i) => swap(redis, [key], [`new ${i}`])));
  assert.deepEqual(results, [null, 'old', null]);
  // Redis does not know the script yet, and asks for its text.
  assert.ok((await scriptsSent()) - before <= 2);
  assert.deepEqual(await redis.mget(names(3)), ['new 0', 'new 1', 'new 2']);
});

test('a call whose key has a wrong type is quarantined and repeated alone; the others are carried out once', async () => {
  const [, odd = ''] = names(3);
  await redis.hset(odd, 'field', 'value');
  assert.deepEqual(await Promise.all(names(3).map((key) => swap(redis, [key], ['new']))), [null, null, null]);
  assert.deepEqual(await redis.mget(names(3)), ['new', 'new', 'new']);
});

test('only the call that Redis refuses rejects', async () => {
  // Its type is not the product's to judge, so it is not moved away.
  const foreign = '{other}';
  await redis.hset(foreign, 'field', 'value');
  const calls = [...names(2), foreign].map((key) => swap(redis, [key], ['new']));
  const [first, second, third] = await Promise.allSettled(calls);
  assert.equal(first?.status, 'fulfilled');
  assert.equal(second?.status, 'fulfilled');
  assert.equal(third?.status, 'rejected');
  assert.match(String(third?.reason), /WRONGTYPE/);
});

test('many calls of one turn are a few commands', async () => {
  const before = await scriptsSent();
  const calls = await Promise.all(names(150).map((key) => swap(redis, [key], ['new'])));
  assert.equal(calls.length, 150);
  assert.equal(await redis.dbsize(), 150);
  const commands = (await scriptsSent()) - before;
  assert.ok(commands >= 3 && commands <= 6, `${commands} commands`);
});
