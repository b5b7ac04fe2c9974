import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, test } from 'node:test';
import { intentChannel, sessionKeys } from '../../../src/contract/keys.js';
import { parseOutcome } from '../../../src/platform/store/intent-store.js';
import { eventually } from '../../support/eventually.js';
import { startFaultProxy } from '../../support/fault-proxy.js';
import { assertNothingLeft } from '../../support/leftovers.js';
import { startRedis } from '../../support/redis-server.js';
import { scaledTiming } from '../../support/scaled-timing.js';
import { SupervisedSession } from '../../support/supervised-session.js';

const redis = await startRedis();

after(async () => {
  await redis.stop();
  await assertNothingLeft();
});

type Options = ConstructorParameters<typeof SupervisedSession>[1];

function withSession(work: (s: SupervisedSession) => Promise<void>, options?: Options): Promise<void> {
  return new SupervisedSession(redis, options).during(work);
}

/** Longer than any test: who ends a run in it has not waited for it. */
const longBackoff = {
  timing: { backoffBaseMs: 600_000, backoffMaxMs: 600_000, restartWindowMs: 86_400_000 },
};

/** The phone has been told when the thread says so, which a busy machine may hold up. */
const patientLogout = { timing: { logoutDeadlineMs: 20_000 } };

async function outcomeOf({ observer }: SupervisedSession) {
  return parseOutcome((await observer.read()).outcome);
}

test('a stop ends the run in order: thread, browser, state, job', () =>
  withSession(async (supervised) => {
    const { observer, run } = supervised;
    await run('ready');
    const { epoch } = await observer.untilReady();
    const id = await observer.requestEnd('stop');
    const last = await observer.untilEnded();
    assert.deepEqual([last.state, last.last_error, last.epoch], ['stopped', null, epoch]);
    assert.equal(last.account?.pushname, 'Ada', 'the credentials are kept, and whose they are is known');
    assert.deepEqual(await outcomeOf(supervised), { id, unlinked: false });
    assert.equal((await observer.read()).intent, null);
    await supervised.assertNothingRuns();
    assert.ok(existsSync(supervised.profileDir));
  }));

test('a logout tells the phone, removes the profile and voids every copy of it', () =>
  withSession(async (supervised) => {
    const { observer, run } = supervised;
    await run('ready');
    await observer.untilReady();
    const id = await observer.requestEnd('logout');
    const last = await observer.untilEnded();
    assert.deepEqual([last.state, last.account], ['stopped', null]);
    assert.deepEqual(await outcomeOf(supervised), { id, unlinked: true });
    assert.equal(await observer.redis.get(sessionKeys(observer.session).wiped), String(last.epoch));
    assert.equal(existsSync(supervised.profileDir), false);
    assert.ok(
      (await observer.read()).fence,
      'the fence stays: without it Redis would count as having lost its data',
    );
    await supervised.assertNothingRuns();
  }, patientLogout));

for (const kind of ['stop', 'logout'] as const) {
  test(`a ${kind} that arrives during a backoff does not wait for its end`, () =>
    withSession(async (supervised) => {
      const { observer, run, scripted } = supervised;
      await run('throws', 'ready');
      await observer.until(({ state }) => state === 'disconnected', 'a backoff');
      const id = await observer.requestEnd(kind);
      const last = await observer.untilEnded();
      assert.deepEqual([last.state, last.last_error], ['stopped', null]);
      assert.deepEqual(await outcomeOf(supervised), { id, unlinked: false });
      assert.equal(scripted.threads().length, 1);
      await supervised.assertNothingRuns();
    }, longBackoff));

  test(`a ${kind} that arrives while the session starts ends it`, () =>
    withSession(async (supervised) => {
      const { observer, run, scripted } = supervised;
      await run('stays starting');
      await eventually(() => scripted.threads().length === 1);
      const id = await observer.requestEnd(kind);
      await observer.untilEnded();
      assert.deepEqual(await outcomeOf(supervised), { id, unlinked: false });
      await supervised.assertNothingRuns();
    }));
}

test('a stop that arrives while the browser starts ends both', () =>
  withSession(async (supervised) => {
    supervised.scripted.setBrowsers('never listens');
    await supervised.run('ready');
    await eventually(() => supervised.scripted.browsersAlive().length === 1);
    await supervised.observer.requestEnd('stop');
    const last = await supervised.observer.untilEnded();
    assert.equal(last.state, 'stopped');
    await supervised.assertNothingRuns();
  }));

test('a wish that stood before the run had an owner is carried out by the first', () =>
  withSession(async (supervised) => {
    const { observer, scripted } = supervised;
    await observer.start();
    const id = await observer.requestEnd('logout');
    await supervised.startSupervisor();
    const last = await observer.untilEnded();
    assert.equal(last.state, 'stopped');
    assert.deepEqual(await outcomeOf(supervised), { id, unlinked: false });
    assert.equal((await observer.read()).intent, null);
    assert.deepEqual(scripted.threads(), [], 'no thread got as far as the browser');
  }));

test('a thread that does not answer the stop is terminated, a browser that ignores SIGTERM killed', () =>
  withSession(async (supervised) => {
    const { observer, run, scripted } = supervised;
    scripted.setBrowsers('ignores SIGTERM');
    await run('never answers stop');
    await observer.untilReady();
    await observer.requestEnd('stop');
    assert.equal((await observer.untilEnded()).state, 'stopped');
    await supervised.assertNothingRuns();
  }));

test('the mark of an ended run outlives whatever heartbeat was on its way', async () => {
  const network = await startFaultProxy(redis.port);
  // A slow way, so that there is always a time at which the last write is on it.
  network.delayReplies(scaledTiming.renewIntervalMs / 5);
  const ended = withSession(
    async ({ observer, run }) => {
      // Its grace keeps the last write out of step with the heartbeats.
      await run('never answers stop');
      await observer.untilReady();
      // Each hint makes the owner look, which is a heartbeat.
      const hints = setInterval(() => void observer.redis.publish(intentChannel, observer.session), 5);
      try {
        await observer.requestEnd('stop');
        await observer.untilEnded();
      } finally {
        clearInterval(hints);
      }
      assert.equal(await observer.redis.pttl(sessionKeys(observer.session).heartbeat), -1);
    },
    { redisPort: network.port },
  );
  await ended.finally(() => network.close());
});

test('restarting stays possible after an end: a start right after it is a new run', () =>
  withSession(async ({ observer, run, scripted }) => {
    await run('ready');
    const first = await observer.untilReady();
    await observer.requestEnd('stop');
    await observer.untilEnded();
    await observer.start();
    const second = await observer.untilReady();
    assert.ok(second.epoch > first.epoch);
    assert.equal(second.account?.pushname, 'Ada');
    assert.equal(scripted.browsersAlive().length, 1);
  }));
