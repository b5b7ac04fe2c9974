import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { Deployment } from '../support/deployment.js';
import { eventually } from '../support/eventually.js';
import { startFaultProxy } from '../support/fault-proxy.js';
import { assertNothingLeft } from '../support/leftovers.js';
import { isAlive, watchdogsOf } from '../support/processes.js';
import { startRedis } from '../support/redis-server.js';
import { scaledTiming as timing } from '../support/scaled-timing.js';

/** Without lease and watchdog, the faults of the other files lead to two browsers. */
after(assertNothingLeft);

test('control: with BullMQ’s own lock handling, a worker runs one job twice at once after an outage', async () => {
  const redis = await startRedis();
  const network = await startFaultProxy(redis.port);
  const connection = new Redis(network.port, { maxRetriesPerRequest: null, retryStrategy: () => 100 });
  connection.on('error', () => undefined);
  const direct = new Redis(redis.port, { maxRetriesPerRequest: null });
  const queue = new Queue('plain', { connection: direct });
  let running = 0;
  let finish = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const worker = new Worker(
    'plain',
    async () => {
      running++;
      await finished;
    },
    {
      connection,
      concurrency: 4,
      lockDuration: timing.lockDurationMs,
      stalledInterval: timing.stalledIntervalMs,
      maxStalledCount: Number.MAX_SAFE_INTEGER,
    },
  );
  worker.on('error', () => undefined);
  try {
    const { id = '' } = await queue.add('run', {});
    await eventually(() => running === 1);
    network.cut();
    await eventually(async () => (await direct.exists(`bull:plain:${id}:lock`)) === 0, { timeoutMs: 20_000 });
    network.open();
    await eventually(() => running === 2, { timeoutMs: 20_000 });
  } finally {
    finish();
    await worker.close(true);
    connection.disconnect();
    await queue.close();
    direct.disconnect();
    await network.close();
    await redis.stop();
  }
});

test('control: without its watchdog the browser of a frozen supervisor outlives the lock', async () => {
  const deployment = await Deployment.open(timing);
  try {
    const { owner, browser, status } = await deployment.hold('ready');
    const [watchdog] = watchdogsOf(owner.pid);
    assert.ok(watchdog);
    owner.signal('SIGSTOP');
    process.kill(watchdog.pid, 'SIGKILL');
    await deployment.observer.until(({ ready, epoch }) => ready && epoch > status.epoch, 'taken over');
    assert.ok(isAlive(browser));
    assert.equal(deployment.scripted.browsersAlive().length, 2);

    // The lease remains: it ends the browser as soon as the supervisor runs again.
    owner.signal('SIGCONT');
    await eventually(() => !isAlive(browser));
    await deployment.recovered('ready');
  } finally {
    await deployment.close();
  }
});
