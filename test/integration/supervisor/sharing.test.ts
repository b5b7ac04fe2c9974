import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { queueKey, sessionKeys, supervisorPlacesKey } from '../../../src/contract/keys.js';
import { defaultSession, runJobId, sessionsQueue } from '../../../src/contract/names.js';
import { eventually } from '../../support/eventually.js';
import { assertNothingLeft } from '../../support/leftovers.js';
import type { SessionObserver } from '../../support/session-observer.js';
import { openRedis } from '../../support/shared-redis.js';
import { SupervisedSession } from '../../support/supervised-session.js';

/** How supervisors divide the sessions among them. */
const redis = await openRedis();

after(async () => {
  await redis.stop();
  await assertNothingLeft();
});

interface Stage {
  readonly supervised: SupervisedSession;
  /** Some sessions, none of them started. */
  readonly sessions: readonly SessionObserver[];
}

function withSessions(
  count: number,
  environment: Record<string, string>,
  work: (stage: Stage) => Promise<void>,
): Promise<void> {
  return new SupervisedSession(redis, { environment }).during(async (supervised) => {
    const others = Array.from({ length: count - 1 }, () => supervised.anotherSession());
    try {
      await work({ supervised, sessions: [supervised.observer, ...others] });
    } finally {
      await Promise.all(others.map((other) => other.close()));
    }
  });
}

/** How long the start waited in the queue. */
async function waitedMs({ redis: client, session }: SessionObserver): Promise<number> {
  const [added, taken] = await client.hmget(sessionKeys(session).job, 'timestamp', 'processedOn');
  return Number(taken) - Number(added);
}

/** The first session has a thread, which stays starting. Resolves to its supervisor. */
async function untilStarting(
  first: SessionObserver,
  { scripted }: SupervisedSession,
): Promise<string | null> {
  const { supervisor } = await first.until(({ state }) => state === 'starting', 'the first starts');
  await eventually(() => scripted.threads().length === 1);
  return supervisor;
}

const waiting = ({ redis: client }: SessionObserver) => client.lrange(queueKey(sessionsQueue, 'wait'), 0, -1);

async function assertWaits(session: SessionObserver): Promise<void> {
  assert.deepEqual(await waiting(session), [runJobId(session.session)]);
}

test('a start beyond the starts that a supervisor may have under way goes to another supervisor at once', () =>
  withSessions(3, { WHATSAPP_MAX_STARTS: '1' }, async ({ supervised, sessions: [first, second, third] }) => {
    assert.ok(first && second && third);
    supervised.scripted.setThreads('stays starting', 'ready');
    const one = await supervised.startSupervisor();
    const two = await supervised.startSupervisor();
    await first.start();
    const busy = await untilStarting(first, supervised);
    const idle = busy === one.id ? two : one;
    for (const session of [second, third]) {
      await session.start();
      assert.equal((await session.untilReady()).supervisor, idle.id);
      const ms = await waitedMs(session);
      assert.ok(ms < 1_000, `it waited for ${ms} ms`);
    }
    await supervised.closeSupervisor(idle);
    // What the closed one ran waits now, because the other one has a start under way.
    await eventually(async () => (await waiting(first)).length === 2);
    await first.requestEnd('stop');
    await Promise.all(
      [second, third].map((s) => s.until(({ ready, supervisor }) => ready && supervisor === busy, 'taken')),
    );
  }));

test('a start whose first incarnation has failed does not keep the next one waiting', () =>
  withSessions(2, { WHATSAPP_MAX_STARTS: '1' }, async ({ supervised, sessions: [first, second] }) => {
    assert.ok(first && second);
    await supervised.run('fails: page_crashed', 'stays starting', 'ready');
    await first.until(
      ({ restarts, state }) => restarts === 1 && state === 'starting',
      'the first tries again',
    );
    await eventually(() => supervised.scripted.threads().length === 2);
    await second.start();
    await second.untilReady();
  }));

test('a start waits in the queue until the one before it is over', () =>
  withSessions(2, { WHATSAPP_MAX_STARTS: '1' }, async ({ supervised, sessions: [first, second] }) => {
    assert.ok(first && second);
    await supervised.run('stays starting', 'ready');
    // The last number: how many starts are possible at once.
    const untilPlaces = (places: RegExp) =>
      eventually(
        async () => assert.match((await first.redis.get(supervisorPlacesKey)) ?? '', places) ?? true,
      );
    await untilStarting(first, supervised);
    await untilPlaces(/ 0$/);
    await second.start();
    await assertWaits(second);
    await first.requestEnd('stop');
    await second.untilReady();
    await untilPlaces(/ 1$/);
  }));

test('a start goes to the supervisor with room at once, and waits while all are full', () =>
  withSessions(
    3,
    { WHATSAPP_MAX_SESSIONS: '1' },
    async ({ supervised, sessions: [first, second, third] }) => {
      assert.ok(first && second && third);
      supervised.scripted.setThreads('ready');
      await supervised.startSupervisor();
      await supervised.startSupervisor();
      const owners: (string | null)[] = [];
      for (const session of [first, second]) {
        await session.start();
        owners.push((await session.untilReady()).supervisor);
        const ms = await waitedMs(session);
        assert.ok(ms < 1_000, `it waited for ${ms} ms`);
      }
      assert.equal(new Set(owners).size, 2);
      await eventually(async () => (await first.redis.get(supervisorPlacesKey)) === '0 2 0');
      await third.start();
      await assertWaits(third);
      await second.requestEnd('stop');
      assert.equal((await third.untilReady()).supervisor, owners[1]);
      await first.requestEnd('stop');
      await eventually(async () => (await first.redis.get(supervisorPlacesKey)) === '1 2 1');
    },
  ));

test('a start of a session that does not exist is dropped, and `default` always exists', () =>
  new SupervisedSession(redis, { session: defaultSession }).during(async (supervised) => {
    const unknown = supervised.anotherSession();
    try {
      supervised.scripted.setThreads('ready');
      await supervised.startSupervisor();
      await unknown.addStart();
      await eventually(async () => !(await unknown.read()).jobExists);
      assert.equal((await unknown.read()).status, null);
      assert.deepEqual(supervised.scripted.browsersEver(), []);
      assert.ok(supervised.hasLogged('dropped a start: there is no such session'));
      await supervised.observer.start();
      await supervised.observer.untilReady();
    } finally {
      await unknown.close();
    }
  }));
