import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { eventually } from '../support/eventually.js';
import { assertNothingLeft } from '../support/leftovers.js';
import { startRedis } from '../support/redis-server.js';
import { scaledTiming } from '../support/scaled-timing.js';
import { SupervisedSession } from '../support/supervised-session.js';

/** Redis without its data: what stands beside the profile says which sessions shall run. */
const redis = await startRedis();

after(async () => {
  await redis.stop();
  await assertNothingLeft();
});

async function withSession(
  body: (session: SupervisedSession) => Promise<void>,
  options: ConstructorParameters<typeof SupervisedSession>[1] = {},
): Promise<void> {
  const session = new SupervisedSession(redis, options);
  try {
    await body(session);
  } finally {
    await session.close();
  }
}

test('data that are lost while no supervisor runs: the next one starts the session again', () =>
  withSession(async (supervised) => {
    const { observer, run } = supervised;
    const owner = await run('ready');
    const { epoch } = await observer.untilReady();
    await supervised.closeSupervisor(owner);
    await observer.redis.flushall();
    await supervised.startSupervisor();
    const status = await observer.untilReady('the run is back');
    assert.ok(status.epoch > epoch);
    assert.equal(status.account?.pushname, 'Ada');
  }));

for (const kind of ['stop', 'logout'] as const) {
  test(`a session that a ${kind} ended does not come back with the data lost`, () =>
    withSession(async (supervised) => {
      const { observer, run } = supervised;
      const owner = await run('ready');
      await observer.untilReady();
      await observer.requestEnd(kind);
      await observer.untilEnded();
      await supervised.closeSupervisor(owner);
      await observer.redis.flushall();
      await supervised.startSupervisor();
      // What a supervisor does at its start is done before it has carried another session to ready.
      const other = supervised.anotherSession();
      await other.start();
      await other.untilReady();
      await other.close();
      assert.equal((await observer.look()).jobExists, false);
    }));
}

test('a Redis that was away for longer than a lock lives, and comes back empty', () =>
  withSession(
    async ({ observer, run, hasLogged }) => {
      await run('ready');
      const { epoch } = await observer.untilReady();
      await redis.kill();
      await eventually(() => hasLogged('run lost'));
      await redis.restart();
      assert.ok((await observer.untilReady('the run is back')).epoch > epoch);
    },
    { timing: scaledTiming },
  ));

test('the epoch goes on where it was, although a Redis without data has a clock that is behind', () =>
  withSession(async (supervised) => {
    const { observer, run } = supervised;
    const owner = await run('ready');
    await observer.untilReady();
    await supervised.closeSupervisor(owner);
    const ahead = Date.now() + 3_600_000;
    await supervised.amendNote({ epoch: ahead });
    await observer.redis.flushall();
    await supervised.startSupervisor();
    assert.equal((await observer.untilReady()).epoch, ahead + 1);
  }));
