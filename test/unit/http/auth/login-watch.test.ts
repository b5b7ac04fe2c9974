import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';
import { pino } from 'pino';
import type { Visit } from '../../../../src/http/auth/browser-logins.js';
import { VisitWatch } from '../../../../src/http/auth/login-watch.js';

const intervalMs = 1_000;
let looks: string[][] = [];
let gone = new Set<string>();
let isAway = false;
let watch: VisitWatch;

const visit = (key: string): Visit => ({ kind: 'login', key });

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ['setInterval'] });
  looks = [];
  gone = new Set();
  isAway = false;
  watch = new VisitWatch(
    {
      async look(visits) {
        looks.push(visits.map(({ key }) => key));
        if (isAway) throw new Error('Redis is away');
        return visits.map(({ key }) => ({ stands: !gone.has(key), lifeMs: 60_000 }));
      },
    },
    intervalMs,
    pino({ level: 'silent' }),
  );
});

async function passSeconds(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    mock.timers.tick(intervalMs);
    // What was looked at is told some turns later.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('there is one look for all that goes on, at each visit once, and none while nothing does', async () => {
  await passSeconds(2);
  assert.deepEqual(looks, []);
  const ways = Array.from({ length: 6 }, (_, i) =>
    watch.add(visit(`v${i % 2}`), () => assert.fail('it stands')),
  );
  await passSeconds(2);
  assert.deepEqual(looks, [
    ['v0', 'v1'],
    ['v0', 'v1'],
  ]);
  for (const leave of ways) leave();
  await passSeconds(2);
  assert.equal(looks.length, 2);
});

test('all that goes on by an ended visit is ended once, and the rest goes on', async () => {
  const ended: string[] = [];
  for (const name of ['a', 'a', 'b']) watch.add(visit(name), () => ended.push(name));
  gone.add('a');
  await passSeconds(3);
  assert.deepEqual(ended, ['a', 'a']);
  assert.deepEqual(looks.slice(1), [['b'], ['b']]);
  watch.close();
});

test('a Redis that is away ends nothing, and is asked again', async () => {
  const ended: string[] = [];
  watch.add(visit('a'), () => ended.push('a'));
  gone.add('a');
  isAway = true;
  await passSeconds(2);
  assert.deepEqual(ended, []);
  isAway = false;
  await watch.look();
  assert.deepEqual(ended, ['a']);
});
