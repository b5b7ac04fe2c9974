import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Queue } from 'bullmq';
import { keyPrefix, sessionKeys } from '../../../src/contract/keys.js';
import { sendsQueue } from '../../../src/contract/names.js';
import { isQuiet } from '../../../src/supervisor/recycling/quiet.js';
import { eventually } from '../../support/eventually.js';
import { assertNothingLeft } from '../../support/leftovers.js';
import { parseMetrics } from '../../support/metrics.js';
import { openRedis } from '../../support/shared-redis.js';
import { SupervisedSession } from '../../support/supervised-session.js';

const redis = await openRedis();

after(async () => {
  await redis.stop();
  await assertNothingLeft();
});

const timing = { memoryCheckMs: 20, recycleQuietMs: 300, recycleSpacingMs: 1, recyclePatienceMs: 600_000 };

/** A session whose browsers use `mb`, except those in `grown`, which are above the ceiling. */
function sessionUsing(mb: number, grown: ReadonlySet<number> = new Set()): SupervisedSession {
  return new SupervisedSession(redis, {
    timing,
    environment: { WHATSAPP_BROWSER_MEMORY_MB: '500' },
    readMemory: async (pid) => {
      const pssBytes = (grown.has(pid) ? 600 : mb) * 1_048_576;
      return { pssBytes, rssBytes: 0, processes: 1 };
    },
  });
}

test('a browser above its ceiling is replaced, which does not count or show as a failure', async () => {
  const grown = new Set<number>();
  const supervised = sessionUsing(100, grown);
  const { observer, scripted } = supervised;
  try {
    const supervisor = await supervised.run('ready');
    const before = await observer.untilReady();
    const states: string[] = [];
    for (const pid of scripted.browsersAlive()) grown.add(pid);
    const renewed = await observer.until((status) => {
      states.push(status.state);
      return status.ready && status.incarnation > before.incarnation;
    }, 'ready on a new browser');

    assert.equal(scripted.browsersEver().length, 2);
    assert.equal(scripted.browsersAlive().length, 1);
    assert.deepEqual(
      [renewed.epoch, renewed.restarts, renewed.last_error, renewed.account],
      [before.epoch, 0, null, before.account],
    );
    assert.ok(!states.includes('disconnected'), states.join());
    // Redis may have the new state before the thread has reported it to the supervisor.
    const recovered = { reason: 'recycled' };
    const page = await eventually(async () => {
      const now = parseMetrics(await supervisor.metrics.page.render());
      return (now.value('holdline_recovery_duration_seconds_count', recovered) ?? 0) > 0 && now;
    });
    assert.ok(page);
    assert.equal(page.value('holdline_session_recycles_total', { why: 'memory' }), 1);
    assert.equal(page.value('holdline_recovery_duration_seconds_count', recovered), 1);
    const restarts = page.series.filter(({ name }) => name === 'holdline_session_restarts_total');
    assert.equal(
      restarts.reduce((sum, { value }) => sum + value, 0),
      0,
    );
    assert.ok(supervised.hasLogged('replacing the browser'));
  } finally {
    await supervised.close();
  }
});

test('control: a browser below its ceiling stays', async () => {
  const supervised = sessionUsing(499);
  try {
    await supervised.run('ready');
    const before = await supervised.observer.untilReady();
    await eventually(async () => isQuiet(supervised.observer.redis, supervised.observer.session, 2_000));
    const { status } = await supervised.observer.read();
    assert.deepEqual(
      [status?.incarnation, supervised.scripted.browsersEver().length],
      [before.incarnation, 1],
    );
  } finally {
    await supervised.close();
  }
});

test('a session is quiet without commands and without recent messages', async () => {
  const supervised = sessionUsing(100);
  const { redis: connection, session } = supervised.observer;
  const queue = new Queue(sendsQueue(session), { connection, prefix: keyPrefix, skipVersionCheck: true });
  const quiet = (ms: number) => isQuiet(connection, session, ms);
  try {
    assert.equal(await quiet(1_000_000), true);
    await connection.xadd(sessionKeys(session).events, '*', 'type', 'state', 'event', '{}');
    assert.equal(await quiet(1_000_000), true, 'a change of state does not count');
    await connection.xadd(sessionKeys(session).events, '*', 'type', 'message', 'event', '{}');
    await connection.xadd(sessionKeys(session).events, '*', 'type', 'state', 'event', '{}');
    assert.equal(await quiet(1_000_000), false);
    await eventually(() => quiet(100));
    const job = await queue.add('send', {});
    assert.equal(await quiet(100), false);
    await job.remove();
    assert.equal(await quiet(100), true);
  } finally {
    await queue.close();
    await supervised.close();
  }
});

test('a stop during the replacement of the browser ends the session', async () => {
  const grown = new Set<number>();
  const supervised = sessionUsing(100, grown);
  const { observer } = supervised;
  try {
    await supervised.run('ready', 'stays starting');
    const before = await observer.untilReady();
    for (const pid of supervised.scripted.browsersAlive()) grown.add(pid);
    await observer.until(
      ({ state, incarnation }) => state === 'starting' && incarnation > before.incarnation,
      'on its way',
    );
    await observer.requestEnd('stop');
    assert.equal((await observer.untilEnded()).state, 'stopped');
  } finally {
    await supervised.close();
  }
});
