import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { quarantineKey, sessionKeys } from '../../../src/contract/keys.js';
import { tryParseStatus } from '../../../src/platform/store/state-store.js';
import { eventually } from '../../support/eventually.js';
import { assertNothingLeft } from '../../support/leftovers.js';
import { startRedis } from '../../support/redis-server.js';
import { scaledTiming } from '../../support/scaled-timing.js';
import { SupervisedSession } from '../../support/supervised-session.js';

/** Redis without its data: the note beside the profile says which sessions shall run. */
const redis = await startRedis();

after(async () => {
  await redis.stop();
  await assertNothingLeft();
});

function withSession(
  body: (session: SupervisedSession) => Promise<void>,
  options: ConstructorParameters<typeof SupervisedSession>[1] = {},
): Promise<void> {
  return new SupervisedSession(redis, options).during(body);
}

test('the next supervisor starts the session again when Redis lost its data meanwhile', () =>
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
    // The Redis may as well be new to this supervisor.
    assert.ok(supervised.hasLogged('this Redis does not know the session, which is to run; starting it'));
    assert.equal(supervised.hasLogged('Redis lost the session; starting it again'), false);
  }));

for (const kind of ['stop', 'logout'] as const) {
  test(`a session that a ${kind} ended does not return after a loss of data`, () =>
    withSession(async (supervised) => {
      const { observer, run } = supervised;
      const owner = await run('ready');
      await observer.untilReady();
      await observer.requestEnd(kind);
      await observer.untilEnded();
      await supervised.closeSupervisor(owner);
      await observer.redis.flushall();
      await supervised.startSupervisor();
      // A supervisor has finished its start before another session is ready on it.
      const other = supervised.anotherSession();
      await other.start();
      await other.untilReady();
      await other.close();
      assert.equal((await observer.read()).jobExists, false);
    }));
}

for (const [what, corrupt] of [
  ['gone', (key) => ['DEL', key]],
  ['empty', (key) => ['SET', key, '']],
  ['not JSON', (key) => ['SET', key, 'garbage']],
  ['not a state', (key) => ['SET', key, '{"state":"ready"}']],
  ['a list', (key) => ['EVAL', "redis.call('DEL', KEYS[1]) redis.call('RPUSH', KEYS[1], 'x')", '1', key]],
] as [string, (key: string) => [string, ...string[]]][]) {
  test(`a state that is ${what} is written again by its owner`, () =>
    withSession(async ({ observer, run }) => {
      await run('ready');
      await observer.untilReady();
      await observer.redis.call(...corrupt(sessionKeys(observer.session).state));
      await eventually(async () => {
        const json = await observer.redis.get(sessionKeys(observer.session).state).catch(() => null);
        return tryParseStatus(json ?? '')?.state === 'ready';
      });
    }));
}

test('a live run renews a heartbeat that says ended', () =>
  withSession(async ({ observer, run }) => {
    await run('ready');
    await observer.untilReady();
    const { heartbeat } = sessionKeys(observer.session);
    await observer.redis.set(heartbeat, 'ended');
    await eventually(async () => (await observer.redis.get(heartbeat)) === 'live');
    assert.ok((await observer.redis.pttl(heartbeat)) > 0);
  }));

for (const junk of ['junk', '', '{}', '[]', 'null', '{"kind":"stop"}']) {
  test(`a run with an unreadable intent (${junk}) still ends`, () =>
    withSession(async ({ observer, run }) => {
      await run('ready');
      await observer.untilReady();
      await observer.redis.set(sessionKeys(observer.session).intent, junk);
      await observer.requestEnd('stop');
      await observer.untilEnded();
    }));
}

test('a stream whose last id allows no further event is quarantined', () =>
  withSession(async ({ observer, run }) => {
    const { events } = sessionKeys(observer.session);
    const last = '18446744073709551615-18446744073709551615';
    await observer.redis.xadd(events, last, 'type', 'x');
    await run('ready');
    await observer.untilReady();
    assert.equal((await observer.redis.xrange(quarantineKey(events), '-', '+'))[0]?.[0], last);
    assert.ok((await observer.redis.xlen(events)) > 0);
  }));

test('the run returns when Redis was down for longer than a lock lasts and lost its data', () =>
  withSession(
    async ({ observer, run, hasLogged }) => {
      await run('ready');
      const { epoch } = await observer.untilReady();
      await redis.kill();
      await eventually(() => hasLogged('lost the session; another supervisor may run it now'));
      await redis.restart();
      assert.ok((await observer.untilReady('the run is back')).epoch > epoch);
      assert.ok(hasLogged('Redis lost the session; starting it again'));
    },
    { timing: scaledTiming },
  ));

test('the epoch continues although an emptied Redis has a clock that is behind', () =>
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

test('the note beside the profile gets the new epoch when a write finds the fence lost', () =>
  withSession(
    async (supervised) => {
      const { observer, run, scripted } = supervised;
      await run('ready');
      const { epoch } = await observer.untilReady();
      assert.equal(supervised.readNote().epoch, epoch);
      // No heartbeat comes first: the write of the browser's end is the next to read the fence.
      await observer.redis.del(sessionKeys(observer.session).fence);
      process.kill(scripted.browsersAlive()[0] ?? assert.fail('there is no browser'), 'SIGKILL');
      const again = await observer.until(
        (status) => status.ready && status.epoch > epoch,
        'it is ready again',
      );
      assert.equal(supervised.readNote().epoch, again.epoch);
    },
    { timing: { heartbeatIntervalMs: 60_000, heartbeatTtlMs: 125_000 } },
  ));
