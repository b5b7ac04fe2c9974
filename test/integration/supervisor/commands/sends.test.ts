import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, test } from 'node:test';
import { Worker } from 'bullmq';
import { keyPrefix } from '../../../../src/contract/keys.js';
import { eventually } from '../../../support/eventually.js';
import { assertNothingLeft } from '../../../support/leftovers.js';
import { numbered, withSends } from '../../../support/send-stage.js';
import { openRedis } from '../../../support/shared-redis.js';

/** Concurrent sends: in order, once each, and bounded. */
const redis = await openRedis();

after(async () => {
  await redis.stop();
  await assertNothingLeft();
});

/** Most messages of one chat that are with the page or on the way to it. */
const atOnce = 16;

test('messages that are accepted at once are sent once each, in order', () =>
  withSends(redis, async (stage) => {
    await stage.run('ready');
    await stage.observer.untilReady();
    await stage.accept(...numbered(60));
    await stage.untilAllSent();
    assert.deepEqual(stage.sentTexts(), numbered(60));
    const [job] = await stage.queue.getCompleted(0, 0);
    assert.equal(job?.data.message, null, 'the text is deleted');
  }));

test('an unacknowledged message delays no other, and at most 16 of a chat are sent at once', () =>
  withSends(redis, async (stage) => {
    stage.scripted.holdAcks('slow');
    await stage.run('ready');
    await stage.observer.untilReady();
    await stage.accept('slow 0', 'slow 1', ...numbered(30));
    await eventually(async () => {
      const settled = (await stage.outcomes()).map((outcome) => outcome?.status ?? null);
      assert.deepEqual(settled, [null, null, ...numbered(30).map(() => 'sent')]);
      return true;
    });

    await stage.accept(...numbered(20, 'slow', 2));
    await eventually(async () => {
      const counts = await stage.queue.getJobCounts('active', 'waiting');
      assert.deepEqual(counts, { active: 22, waiting: 0 }, 'waiting messages block no other chat');
      return stage.sentTexts().length >= 30 + atOnce;
    });
    assert.equal(stage.sentTexts().length, 30 + atOnce);
    stage.scripted.holdAcks(null);
    await stage.untilAllSent();
    assert.deepEqual(stage.sentTexts(), ['slow 0', 'slow 1', ...numbered(30), ...numbered(20, 'slow', 2)]);
  }));

test('a message whose time ends while it waits for room in the page is told expired then, and is not sent', () =>
  withSends(redis, async (stage) => {
    stage.scripted.holdAcks('slow');
    await stage.run('ready');
    await stage.observer.untilReady();
    const chats = ['15550000001', '15550000002', '15550000003', '15550000004'];
    for (const phoneNumber of chats) await stage.acceptFor({ phoneNumber }, ...numbered(atOnce, 'slow'));
    await eventually(() => stage.sentTexts().length === 4 * atOnce, { message: 'the page has all it may' });
    const [late = ''] = await stage.acceptFor({ notAfter: Date.now() + 1_500 }, 'late');
    const outcome = await stage.settled(late);
    assert.equal(outcome.status === 'failed' && outcome.error.code, 'expired');
    const [open] = await stage.outcomes();
    assert.equal(open, null, 'the others are still under way');
    stage.scripted.holdAcks(null);
    await stage.accept('next');
    await eventually(() => stage.sentTexts().includes('next'));
    assert.equal(stage.sentTexts().includes('late'), false);
  }));

test('a message that is never acknowledged settles as unknown and leaves its place to others', () =>
  withSends(
    redis,
    async (stage) => {
      stage.scripted.holdAcks('never');
      await stage.run('ready');
      await stage.observer.untilReady();
      await stage.accept(...numbered(atOnce, 'never'), 'after them');
      await eventually(async () => (await stage.outcomes()).every((outcome) => outcome !== null));
      const outcomes = await stage.outcomes();
      assert.deepEqual(outcomes.at(-1)?.status, 'sent');
      for (const outcome of outcomes.slice(0, -1)) {
        assert.equal(outcome?.status === 'unknown' && outcome.error.code, 'not_acknowledged');
      }
    },
    { timing: { ackDeadlineMs: 3_000 } },
  ));

test('when the browser dies, unacknowledged messages are sent once each, before later ones', () =>
  withSends(redis, async (stage) => {
    stage.scripted.holdAcks('message');
    await stage.run('ready');
    await stage.observer.untilReady();
    await stage.accept(...numbered(10));
    await eventually(() => stage.sentTexts().length === 10);
    const [browser] = stage.scripted.browsersAlive();
    process.kill(browser as number, 'SIGKILL');
    await eventually(() => stage.scripted.threads().length === 2);
    await stage.accept(...numbered(10, 'message', 10));
    await eventually(() => stage.sentTexts().length === atOnce);
    stage.scripted.holdAcks(null);
    await stage.untilAllSent();
    assert.deepEqual(stage.sentTexts(), numbered(20));
  }));

test('a message that the page accepts only the second time keeps its place', () =>
  withSends(redis, async (stage) => {
    await stage.run('ready');
    await stage.observer.untilReady();
    const texts = [...numbered(3), 'late once 3', ...numbered(10, 'message', 4)];
    await stage.accept(...texts);
    await stage.untilAllSent();
    assert.deepEqual(stage.sentTexts(), texts);
  }));

test('an owner that closes returns all jobs that it had taken, in order', () =>
  withSends(redis, async (stage) => {
    const owner = await stage.run('stays authenticated', 'ready');
    await stage.accept(...numbered(40));
    await eventually(async () => (await stage.queue.getActiveCount()) === 40);
    // Before this its thread has not started.
    await stage.observer.until(({ state }) => state === 'authenticated', 'on its way');
    await stage.closeSupervisor(owner);
    const waiting = await stage.queue.getWaiting();
    assert.deepEqual(
      waiting.map(({ data }) => data.message),
      numbered(40),
    );
    await stage.startSupervisor();
    await stage.untilAllSent();
    assert.deepEqual(stage.sentTexts(), numbered(40));
  }));

test('jobs that a dead owner had taken return to the front, in order', () =>
  withSends(redis, async (stage) => {
    await stage.accept(...numbered(12));
    const { opts, name } = stage.queue;
    const dead = new Worker(name, null, { connection: opts.connection, prefix: keyPrefix, autorun: false });
    for (let i = 0; i < 5; i++) await dead.getNextJob('dead', { block: false });
    await dead.close(true);
    assert.equal(await stage.queue.getActiveCount(), 5);
    await stage.run('ready');
    await stage.untilAllSent();
    assert.deepEqual(stage.sentTexts(), numbered(12));
  }));

test('a command that was lost on the way to its owner is taken again', () =>
  withSends(redis, async (stage) => {
    await stage.run('ready');
    await stage.observer.untilReady();
    const { opts, name } = stage.queue;
    const thief = new Worker(name, null, { connection: opts.connection, prefix: keyPrefix, autorun: false });
    // Thief and owner race for each message, until the thief has won one.
    let stolen = 0;
    for (let i = 0; stolen === 0 && i < 200; i++) {
      const taken = thief.getNextJob('thief', { block: false });
      await stage.accept(`message ${i}`);
      stolen += [await taken, await thief.getNextJob('thief', { block: false })].filter(Boolean).length;
    }
    await thief.close(true);
    assert.ok(stolen > 0);
    await stage.untilAllSent();
    assert.ok(stage.hasLogged('a command was lost on its way here; taking it again'));
  }));

test('a message whose marker another consumer took is still sent', () =>
  withSends(redis, async (stage) => {
    await stage.run('ready');
    await stage.observer.untilReady();
    const { redis: connection } = stage.observer;
    // Adds a job without the marker that wakes the owner.
    const id = `m-${randomUUID()}`;
    await stage.accept('first');
    await stage.untilAllSent();
    const job = await connection.hgetall(
      stage.queue.toKey((await stage.queue.getCompleted(0, 0))[0]?.id ?? ''),
    );
    await connection
      .multi()
      .hset(stage.queue.toKey(id), {
        ...pick(job),
        data: (job.data ?? '').replace('"message":null', '"message":"unmarked"'),
      })
      .lpush(stage.queue.toKey('wait'), id)
      .exec();
    await eventually(() => stage.sentTexts().includes('unmarked'), { timeoutMs: 20_000 });
  }));

/** The fields of a job that was not taken yet. */
function pick({ name, opts, timestamp, delay, priority }: Record<string, string>): Record<string, string> {
  return {
    name: name ?? '',
    opts: opts ?? '{}',
    timestamp: timestamp ?? '',
    delay: delay ?? '0',
    priority: priority ?? '0',
  };
}
