import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';
import { pino } from 'pino';
import { LoginWatch } from '../../../../src/http/auth/login-watch.js';
import type { BrowserLogin } from '../../../../src/http/core/caller.js';

const intervalMs = 1_000;
let checks: string[][] = [];
let gone = new Set<string>();
let isAway = false;
let watch: LoginWatch;

const login = (redisKey: string): BrowserLogin => ({ kind: 'key', redisKey, accountKey: 'account' });

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ['setInterval'] });
  checks = [];
  gone = new Set();
  isAway = false;
  watch = new LoginWatch(
    {
      async check(logins) {
        checks.push(logins.map(({ redisKey }) => redisKey));
        if (isAway) throw new Error('Redis is away');
        return logins.map(({ redisKey }) => ({ isValid: !gone.has(redisKey), ttlMs: 60_000 }));
      },
    },
    intervalMs,
    pino({ level: 'silent' }),
  );
});

async function passSeconds(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    mock.timers.tick(intervalMs);
    // The result of a check comes some turns later.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('there is one check for all that goes on, of each login once, and none while nothing does', async () => {
  await passSeconds(2);
  assert.deepEqual(checks, []);
  const ways = Array.from({ length: 6 }, (_, i) =>
    watch.add(login(`v${i % 2}`), () => assert.fail('it stands')),
  );
  await passSeconds(2);
  assert.deepEqual(checks, [
    ['v0', 'v1'],
    ['v0', 'v1'],
  ]);
  for (const leave of ways) leave();
  await passSeconds(2);
  assert.equal(checks.length, 2);
});

test('all that goes on by an ended login is ended once, and the rest goes on', async () => {
  const ended: string[] = [];
  for (const name of ['a', 'a', 'b']) watch.add(login(name), () => ended.push(name));
  gone.add('a');
  await passSeconds(3);
  assert.deepEqual(ended, ['a', 'a']);
  assert.deepEqual(checks.slice(1), [['b'], ['b']]);
  watch.close();
});

test('a Redis that is away ends nothing, and is asked again', async () => {
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
