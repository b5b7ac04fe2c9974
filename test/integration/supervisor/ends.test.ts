import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, test } from 'node:test';
import { logoutResults } from '../../../src/contract/intent.js';
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

/** Longer than any test, so an end during it has not waited for it. */
const longBackoff = {
  timing: { backoffBaseMs: 600_000, backoffMaxMs: 600_000, restartWindowMs: 86_400_000 },
};

/** The thread confirms the unlink late on a busy machine. */
const patientLogout = { timing: { logoutDeadlineMs: 20_000 } };

async function outcomeOf({ observer }: SupervisedSession) {
  return parseOutcome((await observer.read()).outcome);
}

test('a stop ends thread and browser, writes the state and removes the job', () =>
  withSession(async (supervised) => {
    const { observer, run } = supervised;
    await run('ready');
    const { epoch } = await observer.untilReady();
    const id = await observer.requestEnd('stop');
    const last = await observer.untilEnded();
    assert.deepEqual([last.state, last.last_error, last.epoch], ['stopped', null, epoch]);
    assert.equal(last.account?.pushname, 'Ada', 'credentials and account are kept');
    assert.deepEqual(await outcomeOf(supervised), { id, unlinked: false, reason: null });
    assert.equal((await observer.read()).intent, null);
    await supervised.assertNothingRuns();
    assert.ok(existsSync(supervised.profileDir));
  }));

test('a logout unlinks the device, removes the profile and invalidates its snapshots', () =>
  withSession(async (supervised) => {
    const { observer, run } = supervised;
    await run('ready');
    await observer.untilReady();
    const id = await observer.requestEnd('logout');
    const last = await observer.untilEnded();
    assert.deepEqual([last.state, last.account], ['stopped', null]);
    assert.deepEqual(await outcomeOf(supervised), { id, ...logoutResults.unlinked });
    assert.equal(await observer.redis.get(sessionKeys(observer.session).wiped), String(last.epoch));
    assert.equal(existsSync(supervised.profileDir), false);
    assert.ok(
      (await observer.read()).fence,
      'the fence stays: without it Redis would seem to have lost its data',
    );
    await supervised.assertNothingRuns();
  }, patientLogout));

/** What an end says of a session that was never linked. */
function withoutAccount(kind: 'stop' | 'logout') {
  return kind === 'logout' ? logoutResults.nothingLinked : { unlinked: false, reason: null };
}

for (const kind of ['stop', 'logout'] as const) {
  test(`a ${kind} during a backoff does not wait for its end`, () =>
    withSession(async (supervised) => {
      const { observer, run, scripted } = supervised;
      await run('throws', 'ready');
      await observer.until(({ state }) => state === 'disconnected', 'a backoff');
      const id = await observer.requestEnd(kind);
      const last = await observer.untilEnded();
      assert.deepEqual([last.state, last.last_error], ['stopped', null]);
      assert.deepEqual(await outcomeOf(supervised), { id, ...withoutAccount(kind) });
      assert.equal(scripted.threads().length, 1);
      await supervised.assertNothingRuns();
    }, longBackoff));

  test(`a ${kind} during a start ends the session`, () =>
    withSession(async (supervised) => {
      const { observer, run, scripted } = supervised;
      await run('stays starting');
      await eventually(() => scripted.threads().length === 1);
      const id = await observer.requestEnd(kind);
      await observer.untilEnded();
      assert.deepEqual(await outcomeOf(supervised), { id, ...withoutAccount(kind) });
      await supervised.assertNothingRuns();
    }));
}

test('a stop during the start of the browser ends both', () =>
  withSession(async (supervised) => {
    supervised.scripted.setBrowsers('never listens');
    await supervised.run('ready');
    await eventually(() => supervised.scripted.browsersAlive().length === 1);
    await supervised.observer.requestEnd('stop');
    const last = await supervised.observer.untilEnded();
    assert.equal(last.state, 'stopped');
    await supervised.assertNothingRuns();
  }));

test('an intent from before the run had an owner is carried out by the first owner', () =>
  withSession(async (supervised) => {
    const { observer, scripted } = supervised;
    await observer.start();
    const id = await observer.requestEnd('logout');
    await supervised.startSupervisor();
    const last = await observer.untilEnded();
    assert.equal(last.state, 'stopped');
    assert.deepEqual(await outcomeOf(supervised), { id, ...logoutResults.nothingLinked });
    assert.equal((await observer.read()).intent, null);
    assert.deepEqual(scripted.threads(), [], 'no thread reached a browser');
  }));

test('a stop terminates a thread that does not answer and kills a browser that ignores SIGTERM', () =>
  withSession(async (supervised) => {
    const { observer, run, scripted } = supervised;
    scripted.setBrowsers('ignores SIGTERM');
    await run('never answers stop');
    await observer.untilReady();
    await observer.requestEnd('stop');
    assert.equal((await observer.untilEnded()).state, 'stopped');
    await supervised.assertNothingRuns();
  }));

test('a late heartbeat does not overwrite the ended mark of a run', async () => {
  const network = await startFaultProxy(redis.port);
  // Slow replies, so that a heartbeat can overlap with the last write.
  network.delayReplies(scaledTiming.renewIntervalMs / 5);
  const ended = withSession(
    async ({ observer, run }) => {
      // The stop grace puts the last write out of step with the heartbeats.
      await run('never answers stop');
      await observer.untilReady();
      // Each hint makes the owner send a heartbeat.
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

test('a start right after an end is a new run', () =>
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
