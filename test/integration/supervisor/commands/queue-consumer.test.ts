import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Job } from 'bullmq';
import { pino } from 'pino';
import { deferred } from '../../../../src/platform/deadline.js';
import { openQueue } from '../../../../src/platform/queues/job-queue.js';
import { connectPatiently, disconnect } from '../../../../src/platform/redis/connection.js';
import { QueueConsumer } from '../../../../src/supervisor/commands/queue-consumer.js';
import { eventually } from '../../../support/eventually.js';
import { assertNothingLeft } from '../../../support/leftovers.js';
import { openRedis } from '../../../support/shared-redis.js';

const server = await openRedis();

after(async () => {
  await server.stop();
  await assertNothingLeft();
});

test('jobs that do not settle go back to the queue in its order, whichever ends first', async () => {
  const log = pino({ level: 'silent' });
  const redis = connectPatiently(server.url, { socketTimeoutMs: 5_000 }, log);
  const queue = openQueue('sends-order', redis);
  const names = ['one', 'two', 'three', 'four'];
  const ends = new Map(names.map((name) => [name, deferred<null>()]));
  const taken: string[] = [];
  const consumer = new QueueConsumer({
    ...{ redis, name: 'sends-order', log, retentionMs: 60_000 },
    hasRoom: () => true,
    run: (job: Job) => {
      taken.push(job.name);
      return ends.get(job.name)?.promise as Promise<null>;
    },
  });
  try {
    for (const name of names) await queue.add(name, {});
    await consumer.start([]);
    await eventually(() => taken.length === names.length);
    const closed = consumer.close();
    for (const name of ['three', 'four', 'two', 'one']) {
      ends.get(name)?.resolve(null);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await closed;
    // BullMQ takes the next job from the end of the list.
    const waiting = await queue.getJobs(['wait'], 0, -1, true);
    assert.deepEqual(
      waiting.map(({ name }) => name),
      names,
    );
    assert.deepEqual(taken, names);
  } finally {
    await queue.close();
    await redis.flushdb();
    await disconnect(redis);
  }
});
