import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Redis } from 'ioredis';
import { luaScript } from '../../../src/platform/redis/lua-script.js';
import { readSupervisors, registerSupervisor } from '../../../src/platform/store/supervisor-registry.js';
import { eventually } from '../../support/eventually.js';
import { assertNothingLeft } from '../../support/leftovers.js';
import { type RedisServer, startRedis } from '../../support/redis-server.js';
import { type RedisRequest, type RefusingRedis, startRefusingRedis } from '../../support/refusing-redis.js';
import { RespFrames } from '../../support/resp.js';
import { supervisorFacts } from '../../support/supervisor-facts.js';

/** The Redis of the fault suite refuses exactly what a test asks for. */
const readOnly = "READONLY You can't write against a read only replica.";
const isSet = ({ step }: RedisRequest) => step === 'set';
let server: RedisServer;
let refusing: RefusingRedis;
let redis: Redis;

before(async () => {
  server = await startRedis();
  refusing = await startRefusingRedis(server.port);
  redis = new Redis(refusing.url);
});
after(async () => {
  redis.disconnect();
  await refusing.close();
  await server.stop();
  await assertNothingLeft();
});

test('a refused command in a pipeline is answered in its place', async () => {
  const refusal = refusing.refuse(isSet, readOnly);
  const answers = await redis
    .pipeline()
    .incr('n')
    .set('a', 1)
    .set('b', 1)
    .incr('n')
    .get('a')
    .incr('n')
    .exec();
  refusal.lift();
  const said = answers?.map(([error, answer]) => error?.message ?? answer);
  assert.deepEqual(said, [1, readOnly, readOnly, 2, null, 3]);
  assert.equal(refusal.times, 2);
  assert.equal(await redis.set('a', 1), 'OK');
  assert.equal(refusal.times, 2);
});

test('a refused command after a reply that is a map is answered in its place', async () => {
  await redis.hset('hash', { a: '1', b: '2' });
  const refusal = refusing.refuse(isSet, readOnly);
  const answers = await Promise.allSettled([
    redis.hgetall('hash'),
    redis.set('a', 1),
    redis.hgetall('hash'),
    redis.set('b', 1),
    redis.strlen('hash-free'),
  ]);
  refusal.lift();
  const said = answers.map((answer) =>
    answer.status === 'fulfilled' ? answer.value : (answer.reason as Error).message,
  );
  assert.deepEqual(said, [{ a: '1', b: '2' }, readOnly, { a: '1', b: '2' }, readOnly, 0]);
});

test('a refusal can be limited to a key and to a number of times', async () => {
  const isOfA = ({ step, words }: RedisRequest) => step === 'get' && words[0] === 'a';
  const refusal = refusing.refuse(isOfA, 'LOADING Redis is loading the dataset in memory', 1);
  assert.equal(await redis.get('b'), null);
  await assert.rejects(redis.get('a'), /^ReplyError: LOADING/);
  assert.equal(await redis.get('a'), '1');
  refusal.lift();
});

test('a script is recognized by its name, its source and its digest', async () => {
  const seen = new Set<string>();
  const recorder = refusing.refuse(({ step }) => seen.add(step) === null, '');
  await registerSupervisor(redis, 'one', supervisorFacts(1), 10_000);
  await registerSupervisor(redis, 'one', supervisorFacts(1), 10_000);
  await luaScript<number>('unknownToThis', 0, 'return 1')(redis, [], []);
  recorder.lift();
  assert.deepEqual([...seen], ['holdline_registerSupervisor', 'eval']);

  const refusal = refusing.refuse(({ step }) => step === 'holdline_readSupervisors', readOnly);
  await assert.rejects(readSupervisors(redis), /READONLY/);
  refusal.lift();
  assert.deepEqual(await readSupervisors(redis), [{ supervisor: 'one', room: 1, facts: supervisorFacts(1) }]);
});

test('published messages reach a subscriber between refusals', async () => {
  const subscriber = new Redis(refusing.url);
  try {
    const heard: string[] = [];
    subscriber.on('message', (_, message) => heard.push(message));
    await subscriber.subscribe('one', 'two');
    await redis.publish('one', 'first');
    const refusal = refusing.refuse(({ step }) => step === 'subscribe', 'NOAUTH Authentication required.');
    await assert.rejects(subscriber.subscribe('three'), /NOAUTH/);
    refusal.lift();
    await redis.publish('two', 'second');
    await eventually(() => heard.length === 2);
    await subscriber.subscribe('three');
    assert.deepEqual(heard, ['first', 'second']);
  } finally {
    subscriber.disconnect();
  }
});

test('megabytes pass unchanged in pieces of any size', async () => {
  const large = Buffer.alloc(3_000_000, 'abc\r\n');
  await redis.set('large', large);
  assert.ok(large.equals((await redis.getBuffer('large')) as Buffer));
  await redis.rpush('list', ...Array.from({ length: 5_000 }, (_, i) => `item ${i}`));
  assert.equal((await redis.lrange('list', 0, -1)).length, 5_000);

  const stream = Buffer.from(
    '*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n+OK\r\n*-1\r\n$-1\r\n*1\r\n*2\r\n:1\r\n$0\r\n\r\n-ERR x\r\n' +
      '%2\r\n+a\r\n*2\r\n:1\r\n:2\r\n+b\r\n_\r\n~1\r\n#t\r\n>3\r\n$7\r\nmessage\r\n+c\r\n=5\r\ntxt:\n\r\n!3\r\nERR\r\n',
  );
  for (let length = 1; length < stream.length; length++) {
    const frames = new RespFrames();
    const cut: string[] = [];
    for (let at = 0; at < stream.length; at += length)
      cut.push(...frames.add(stream.subarray(at, at + length)).map(String));
    assert.equal(cut.length, 10, `in pieces of ${length}`);
    assert.equal(cut.join(''), stream.toString());
  }
});

test('the most refusals a second of one connection are counted', async () => {
  const refusal = refusing.refuse(isSet, readOnly);
  await Promise.allSettled([1, 2, 3].map((value) => redis.set('a', value)));
  refusal.lift();
  assert.equal(refusal.mostPerSecond, 3);
});
