import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Redis } from 'ioredis';
import { quarantineKey, sessionKeys } from '../../../src/contract/keys.js';
import { eventually } from '../../support/eventually.js';
import { assertNothingLeft } from '../../support/leftovers.js';
import { startRedis } from '../../support/redis-server.js';
import { SupervisedSession } from '../../support/supervised-session.js';

/** A malformed start job stops neither a supervisor nor a session. */
const redis = await startRedis();

after(async () => {
  await redis.stop();
  await assertNothingLeft();
});

interface Start {
  readonly client: Redis;
  readonly job: string;
  readonly lock: string;
  readonly id: string;
}

const wait = '{wa}:sessions:wait';
const active = '{wa}:sessions:active';

const malformedStarts: Record<string, (start: Start) => Promise<unknown>> = {
  'whose data is not JSON': ({ client, job }) => client.hset(job, 'data', 'secret{'),
  'whose data is empty': ({ client, job }) => client.hset(job, 'data', ''),
  'whose data has another shape': ({ client, job }) => client.hset(job, 'data', '{"startId":7}'),
  'whose data is huge': ({ client, job }) => client.hset(job, 'data', 'x'.repeat(3_000_000)),
  'without data': ({ client, job }) => client.hdel(job, 'data'),
  'whose options are not JSON': ({ client, job }) => client.hset(job, 'opts', '{'),
  'of which only the id is left': ({ client, job }) => client.del(job),
  'that is a list': ({ client, job }) => client.multi().del(job).rpush(job, 'x').exec(),
  'that is in no list': ({ client, id }) => client.lrem(wait, 0, id),
  'behind ids without a job': ({ client }) => client.rpush(wait, 'x', '', 's-', 's-Not-One'),
  'that was taken, with a lock that does not expire': ({ client, id, lock }) =>
    client.multi().lrem(wait, 0, id).lpush(active, id).set(lock, 'somebody').exec(),
};

for (const [what, corrupt] of Object.entries(malformedStarts)) {
  for (const when of ['before a supervisor starts', 'while one waits'] as const) {
    test(`a start ${what}, ${when}, becomes a run`, async () => {
      const timing = {
        heartbeatIntervalMs: 50,
        stalledIntervalMs: 200,
        drainDelayMs: 200,
        lockDurationMs: 12_000,
      };
      await new SupervisedSession(redis, { timing }).during(async (supervised) => {
        const { observer, scripted } = supervised;
        const { job, lock } = sessionKeys(observer.session);
        const start = { client: observer.redis, job, lock, id: `s-${observer.session}` };
        scripted.setThreads('ready');
        // Writes the note beside the profile that the session shall run.
        const first = await supervised.startSupervisor();
        await observer.start();
        await observer.untilReady();
        await supervised.closeSupervisor(first);
        await eventually(async () => (await observer.redis.llen(wait)) === 1);
        await corrupt(start);
        await supervised.startSupervisor();
        if (when === 'while one waits') {
          await observer.untilReady();
          await corrupt(start);
          await observer.redis.set(lock, 'a stranger', 'PX', 100);
          await eventually(() => supervised.hasLogged('lost the session; another supervisor may run it now'));
        }
        await observer.untilReady();
        assert.doesNotMatch(JSON.stringify(supervised.logLines), /secret/);
        await eventually(async () => (await observer.redis.llen(wait)) === 0);
      });
    });
  }
}

test('the unreadable data of a start is quarantined', () =>
  new SupervisedSession(redis).during(async (supervised) => {
    const { observer } = supervised;
    const { job, quarantineIndex } = sessionKeys(observer.session);
    await observer.start();
    await observer.redis.hset(job, 'data', 'secret{');
    supervised.scripted.setThreads('ready');
    await supervised.startSupervisor();
    await observer.untilReady();
    assert.equal(await observer.redis.hget(quarantineKey(job), 'data'), 'secret{');
    assert.ok((await observer.redis.pttl(quarantineKey(job))) > 6 * 86_400_000);
    const note = JSON.parse((await observer.redis.hget(quarantineIndex, job)) ?? '') as {
      at: number;
      why: string;
    };
    assert.deepEqual(Object.keys(note).sort(), ['at', 'why']);
    assert.equal(supervised.logLines.filter(({ key }) => key === job).length, 1);
  }));
