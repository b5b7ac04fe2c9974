import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, test } from 'node:test';
import type { Job, Queue } from 'bullmq';
import { pino } from 'pino';
import { type Deferred, deferred } from '../../../../src/platform/deadline.js';
import { openQueue } from '../../../../src/platform/queues/job-queue.js';
import { connectPatiently, disconnect, type Redis } from '../../../../src/platform/redis/connection.js';
import { QueueConsumer } from '../../../../src/supervisor/commands/queue-consumer.js';
import { eventually } from '../../../support/eventually.js';
import { assertNothingLeft } from '../../../support/leftovers.js';
import { openRedis } from '../../../support/shared-redis.js';

const server = await openRedis();

after(async () => {
  await server.stop();
  await assertNothingLeft();
});

interface Stage {
  readonly redis: Redis;
  readonly queue: Queue;
  readonly consumer: QueueConsumer;
  /** Names of the jobs that were taken, in order. */
  readonly taken: readonly string[];
  /** Ends the run of a job without settling it. */
  end(name: string): void;
  /** As if the reply that hands the next job out had been lost. */
  loseNext(): Promise<void>;
  /** Names of the waiting jobs, the next one first. */
  waiting(): Promise<string[]>;
}

const lock = '{wa}:sessions:s-t:lock';

async function withConsumer(name: string, work: (stage: Stage) => Promise<void>): Promise<void> {
  const log = pino({ level: 'silent' });
  const redis = connectPatiently(server.url, { socketTimeoutMs: 5_000 }, log);
  const queue = openQueue(name, redis);
  const ends = new Map<string, Deferred<null>>();
  const taken: string[] = [];
  const consumer = new QueueConsumer({
    ...{ redis, name, log, retentionMs: 60_000 },
    hasRoom: () => true,
    lock: { key: lock, token: 'ours' },
    isHeld: () => true,
    run: (job: Job) => {
      taken.push(job.name);
      const ending = deferred<null>();
      ends.set(job.name, ending);
      return ending.promise;
    },
  });
  try {
    await redis.set(lock, 'ours');
    await work({
      ...{ redis, queue, consumer, taken },
      end: (job) => ends.get(job)?.resolve(null),
      async loseNext() {
        await redis.rpoplpush(consumer.waitKey, consumer.activeKey);
      },
      // BullMQ takes the next job from the end of the list.
      async waiting() {
        const jobs = await queue.getJobs(['wait'], 0, -1, true);
        return jobs.map((job) => job.name);
      },
    });
  } finally {
    for (const ending of ends.values()) ending.resolve(null);
    await consumer.close();
    await queue.close();
    await redis.flushdb();
    await disconnect(redis);
  }
}

test('jobs that do not settle go back to the queue in its order, whichever ends first', () =>
  withConsumer('sends-order', async ({ queue, consumer, taken, end, waiting }) => {
    const names = ['one', 'two', 'three', 'four'];
    for (const name of names) await queue.add(name, {});
    consumer.start();
    await eventually(() => taken.length === names.length);
    const closed = consumer.close();
    for (const name of ['three', 'four', 'two', 'one']) {
      end(name);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await closed;
    assert.deepEqual(await waiting(), names);
    assert.deepEqual(taken, names);
  }));

test('a job that was lost on its way is taken before later ones, once the connection is back', () =>
  withConsumer('sends-lost', async ({ redis, queue, consumer, taken, loseNext }) => {
    await queue.add('one', {});
    consumer.start();
    await eventually(() => taken.length === 1);
    await queue.add('two', {});
    await loseNext();
    const ready = once(redis, 'ready');
    redis.disconnect(true);
    await ready;
    await queue.add('three', {});
    consumer.wake();
    await eventually(() => taken.length === 3);
    assert.deepEqual(taken, ['one', 'two', 'three']);
  }));

test('a job that was lost on its way goes back to the queue in its order when its consumer closes', () =>
  withConsumer('sends-end', async ({ queue, consumer, taken, end, loseNext, waiting }) => {
    for (const name of ['one', 'two']) await queue.add(name, {});
    consumer.start();
    await eventually(() => taken.length === 2);
    for (const name of ['three', 'four']) await queue.add(name, {});
    await loseNext();
    for (const name of ['two', 'one']) end(name);
    await consumer.close();
    assert.deepEqual(await waiting(), ['one', 'two', 'three', 'four']);
    assert.deepEqual(taken, ['one', 'two']);
  }));

test('the jobs of a run that has lost its session are left to the next owner', () =>
  withConsumer('sends-lost-run', async ({ redis, queue, consumer, taken, end, waiting }) => {
    await queue.add('one', {});
    consumer.start();
    await eventually(() => taken.length === 1);
    await redis.set(lock, 'another');
    end('one');
    await consumer.close();
    assert.deepEqual(await waiting(), []);
    assert.equal((await queue.getJobs(['active'])).length, 1);
  }));

test('a job that was lost while the connection stayed is taken before those that wait behind it', () =>
  withConsumer('sends-look', async ({ redis, queue, consumer, taken, loseNext }) => {
    consumer.start();
    await queue.add('one', {});
    await loseNext();
    await queue.add('two', {});
    const active = await redis.lrange(consumer.activeKey, 0, -1);
    consumer.look({ active, waiting: 1 });
    await eventually(() => taken.length === 2);
    assert.deepEqual(taken, ['one', 'two']);
  }));

test('a job without data is not carried out, and costs only itself', () =>
  withConsumer('sends-odd', async ({ redis, queue, consumer, taken }) => {
    for (const name of ['one', 'two']) await queue.add(name, {});
    await redis.lpush(consumer.activeKey, 'm-missing', 'm-odd');
    await redis.set(queue.toKey('m-odd'), 'no hash');
    consumer.start();
    await eventually(() => taken.length === 2);
    assert.deepEqual(taken, ['one', 'two']);
    assert.equal((await redis.lrange(consumer.activeKey, 0, -1)).length, 2);
  }));
