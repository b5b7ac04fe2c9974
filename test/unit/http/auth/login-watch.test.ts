import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';
import { pino } from 'pino';
import { type Grant, grantId } from '../../../../src/http/auth/grants.js';
import { LoginWatch } from '../../../../src/http/auth/login-watch.js';

const intervalMs = 1_000;
let checks: string[][] = [];
let gone = new Set<string>();
let isAway = false;
let watch: LoginWatch;

const login = (redisKey: string): Grant => ({
  madeKey: null,
  login: { kind: 'key', redisKey, accountKey: 'account' },
});

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ['setInterval'] });
  checks = [];
  gone = new Set();
  isAway = false;
  watch = new LoginWatch(
    async (grants) => {
      const ids = grants.map(grantId);
      checks.push(ids);
      if (isAway) throw new Error('Redis is away');
      return ids.map((id) => ({ isValid: !gone.has(id), ttlMs: 60_000 }));
    },
    intervalMs,
    pino({ level: 'silent' }),
  );
});

async function passSeconds(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    mock.timers.tick(intervalMs);
    // The result of a check comes some turns of the event loop later.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('one check covers every open stream, with each login once, and there is none without a stream', async () => {
  await passSeconds(2);
  assert.deepEqual(checks, []);
  const removers = Array.from({ length: 6 }, (_, i) =>
    watch.add(login(`v${i % 2}`), () => assert.fail('the login is valid')),
  );
  await passSeconds(2);
  assert.deepEqual(checks, [
    ['v0', 'v1'],
    ['v0', 'v1'],
  ]);
  for (const remove of removers) remove();
  await passSeconds(2);
  assert.equal(checks.length, 2);
});

test('every stream of an ended login ends once, and the others go on', async () => {
  const ended: string[] = [];
  for (const name of ['a', 'a', 'b']) watch.add(login(name), () => ended.push(name));
  gone.add('a');
  await passSeconds(3);
  assert.deepEqual(ended, ['a', 'a']);
  assert.deepEqual(checks.slice(1), [['b'], ['b']]);
  watch.close();
});

test('an outage of Redis ends no stream, and the check is repeated', async () => {
  const ended: string[] = [];
  watch.add(login('a'), () => ended.push('a'));
  gone.add('a');
  isAway = true;
  await passSeconds(2);
  assert.deepEqual(ended, []);
  isAway = false;
  await watch.check();
  assert.deepEqual(ended, ['a']);
});

test('a key and a login with that key are watched each for itself', async () => {
  const ended: string[] = [];
  watch.add({ madeKey: 'digest', login: null }, () => ended.push('key'));
  watch.add({ ...login('a'), madeKey: 'digest' }, () => ended.push('login'));
  gone.add('a');
  await passSeconds(1);
  assert.deepEqual([ended, checks], [['login'], [[grantId({ madeKey: 'digest', login: null }), 'a']]]);
  watch.close();
});
