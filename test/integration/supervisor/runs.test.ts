import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Queue } from 'bullmq';
import { keyPrefix, sessionKeys } from '../../../src/contract/keys.js';
import { authStartJob, sessionsQueue } from '../../../src/contract/names.js';
import { deferred } from '../../../src/platform/deadline.js';
import { startJobOptions } from '../../../src/platform/queues/start-queue.js';
import { readSupervisors } from '../../../src/platform/store/supervisor-registry.js';
import { eventually } from '../../support/eventually.js';
import { startFaultProxy } from '../../support/fault-proxy.js';
import { assertNothingLeft } from '../../support/leftovers.js';
import { startRedis } from '../../support/redis-server.js';
import { SessionObserver } from '../../support/session-observer.js';
import { SupervisedSession } from '../../support/supervised-session.js';

const redis = await startRedis();

after(async () => {
  await redis.stop();
  await assertNothingLeft();
});

function withSession(
  work: (s: SupervisedSession) => Promise<void>,
  options: ConstructorParameters<typeof SupervisedSession>[1] = {},
): Promise<void> {
  return new SupervisedSession(redis, options).during(work);
}

/** The start queue over a connection of its own. */
async function withQueue(work: (queue: Queue) => Promise<void>): Promise<void> {
  const { port } = new URL(redis.url);
  const queue = new Queue(sessionsQueue, { connection: { port: Number(port) }, prefix: keyPrefix });
  try {
    await work(queue);
  } finally {
    await queue.close();
  }
}

test('fifty starts from five clients with two supervisors are one run with one browser', () =>
  withSession(async (supervised) => {
    const { observer, scripted } = supervised;
    scripted.setThreads('ready');
    await supervised.startSupervisor();
    await supervised.startSupervisor();
    const clients = Array.from({ length: 5 }, () => new SessionObserver(redis.url, observer.session));
    await Promise.all(Array.from({ length: 50 }, (_, i) => clients[i % clients.length]?.start()));
    const { epoch } = await observer.untilReady();
    await Promise.all(clients.map((client) => client.start()));
    await Promise.all(clients.map((client) => client.close()));
    // A second run would have to begin before this one ends: the queue has one job.
    await observer.requestEnd('stop');
    assert.equal((await observer.untilEnded()).epoch, epoch);
    assert.equal(scripted.browsersEver().length, 1);
    assert.equal(scripted.threads().length, 1);
  }));

test('an ended start is not run again, even if its job returns', () =>
  withSession(async (supervised) => {
    const { observer, scripted, run } = supervised;
    await run('ready');
    await observer.untilReady();
    const { data } = startJobOptions(observer.session);
    const job = JSON.parse((await observer.redis.hget(sessionKeys(observer.session).job, 'data')) ?? '');
    assert.deepEqual(Object.keys(job), Object.keys(data));
    await observer.requestEnd('stop');
    const { epoch } = await observer.untilEnded();

    await withQueue(async (queue) => {
      await queue.add(authStartJob, job, startJobOptions(observer.session).options);
      await eventually(async () => !(await observer.read()).jobExists);
    });
    const after = await observer.read();
    assert.deepEqual([after.heartbeat, after.status?.epoch], ['ended', epoch]);
    assert.equal(scripted.browsersEver().length, 1);
  }));

test('a supervisor that closes hands the run to the standby, and never to itself', () =>
  withSession(async (supervised) => {
    const { observer, scripted, run } = supervised;
    const timesTaken = async () =>
      Number(await observer.redis.hget(sessionKeys(observer.session).job, 'ats'));
    let owner = await run('ready');
    await observer.untilReady();
    for (let trial = 0; trial < 6; trial++) {
      const standby = await supervised.startSupervisor();
      await supervised.closeSupervisor(owner);
      const status = await observer.until(
        ({ ready, supervisor }) => ready && supervisor === standby.id,
        'the standby has it',
      );
      assert.equal(await timesTaken(), trial + 2, 'no other supervisor had it in between');
      assert.equal(scripted.threads().length, trial + 2);
      assert.equal(status.restarts, 0, 'a handover is no restart');
      assert.equal(scripted.browsersAlive().length, 1);
      owner = standby;
    }
  }));

test('a supervisor that closes without a standby leaves the run waiting for the next one', () =>
  withSession(async (supervised) => {
    const { observer, run } = supervised;
    const owner = await run('ready');
    const { epoch } = await observer.untilReady();
    await supervised.closeSupervisor(owner);
    await supervised.assertNothingRuns();
    const waiting = await observer.read();
    assert.deepEqual([waiting.heartbeat, waiting.jobExists, waiting.lockPttl], [null, true, -2]);
    assert.deepEqual(await readSupervisors(observer.redis), []);
    await supervised.startSupervisor();
    assert.ok((await observer.untilReady()).epoch > epoch);
  }));

test('a forced close skips the grace periods', () =>
  withSession(async (supervised) => {
    const { observer, scripted, run } = supervised;
    scripted.setBrowsers('ignores SIGTERM');
    const owner = await run('never answers stop');
    await observer.untilReady();
    await supervised.closeSupervisor(owner, AbortSignal.abort());
    await supervised.assertNothingRuns();
    assert.equal((await observer.read()).jobExists, true);
  }));

test('the run returns after Redis has lost its data', () =>
  withSession(async ({ observer, scripted, run }) => {
    await run('ready');
    const { epoch } = await observer.untilReady();
    await observer.redis.flushall();
    const status = await observer.untilReady('the run is back');
    assert.ok(status.epoch > epoch);
    assert.equal(status.account?.pushname, 'Ada');
    assert.equal(scripted.browsersAlive().length, 1);
  }));

test('a run whose job was deleted is not started again while its heartbeat exists', () =>
  withSession(
    async (supervised) => {
      const { observer, run } = supervised;
      await run('ready');
      await observer.untilReady();
      await withQueue((queue) => queue.obliterate({ force: true }));
      await eventually(() => supervised.hasLogged('lost the session; another supervisor may run it now'));
      await eventually(() => supervised.hasLogged('job not requeued'));
      // The supervisor has handled the loss long before another session of it is ready.
      const other = new SessionObserver(redis.url, 'other');
      await other.start();
      await other.untilReady();
      await other.close();
      const { jobExists, heartbeat } = await observer.read();
      assert.equal(jobExists, false);
      assert.notEqual(heartbeat, null);
    },
    // The heartbeat must not expire before the test ends.
    { timing: { heartbeatTtlMs: 60_000 } },
  ));

test('an owner claims a lost fence again while its lease holds, and the thread goes on', () =>
  withSession(async ({ observer, scripted, run }) => {
    await run('ready');
    const { epoch } = await observer.untilReady();
    await observer.redis.del(sessionKeys(observer.session).fence);
    const status = await observer.untilReady('written again');
    assert.ok(status.epoch > epoch);
    assert.equal(scripted.threads().length, 1, 'the same thread');
    assert.equal(scripted.browsersEver().length, 1, 'on the same browser');
  }));

test('a supervisor is registered once it has started, even with a slow Redis', async () => {
  const connected = deferred<void>();
  const proxy = await startFaultProxy(redis.port, { onRequest: () => connected.resolve() });
  proxy.delayReplies(100);
  // The registration must not expire before the test reads it.
  const timing = { heartbeatTtlMs: 60_000 };
  const supervised = new SupervisedSession(redis, { redisPort: proxy.port, timing });
  try {
    // Starts while the connection is made and not ready yet.
    const { id } = await supervised.startSupervisor(() => connected.promise);
    const registered = await readSupervisors(supervised.observer.redis);
    assert.deepEqual(
      registered.map(({ supervisor }) => supervisor),
      [id],
    );
  } finally {
    await supervised.close();
    await proxy.close();
  }
});
