import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { pino } from 'pino';
import { intentChannel } from '../../../src/contract/keys.js';
import { connectPatiently, disconnect } from '../../../src/platform/redis/connection.js';
import { QueueConsumer } from '../../../src/supervisor/commands/queue-consumer.js';
import { eventually } from '../../support/eventually.js';
import { assertNothingLeft } from '../../support/leftovers.js';
import { startRedis } from '../../support/redis-server.js';
import { type RefusedCommand, refuseOnce } from '../../support/refused-command.js';
import { SupervisedSession } from '../../support/supervised-session.js';

/** What asks Redis again and again has an end and a pace. */
const redis = await startRedis();

after(async () => {
  await redis.stop();
  await assertNothingLeft();
});

const count = ({ counts }: RefusedCommand, wanted: RegExp) =>
  [...counts].reduce((sum, [kind, times]) => sum + (wanted.test(kind) ? times : 0), 0);

test('a supervisor to which Redis refuses every run asks no faster than it signs the roll', async () => {
  const commands = refuseOnce(null);
  try {
    await new SupervisedSession(redis).during(async (supervised) => {
      const { observer } = supervised;
      await observer.start();
      await observer.redis.config('SET', 'maxmemory', '1');
      const starting = supervised.startSupervisor();
      const signatures = () => count(commands, /\{wa\}:supervisors$/);
      await eventually(() => signatures() >= 5);
      const asked = count(commands, /\{wa\}:sessions:wait$/);
      assert.ok(asked > 0);
      assert.ok(asked <= 2 * signatures(), `${asked} times within ${signatures()} signatures`);
      await observer.redis.config('SET', 'maxmemory', '0');
      await starting;
      await observer.untilReady('the run is taken all the same');
    });
  } finally {
    commands.restore();
    await resetMemory();
  }
});

test('a subscription that Redis refuses when the connection is made anew is asked for again', () =>
  new SupervisedSession(redis).during(async (supervised) => {
    const { observer } = supervised;
    const subscribers = async () => (await observer.redis.pubsub('NUMSUB', intentChannel))[1];
    await supervised.startSupervisor();
    await eventually(async () => (await subscribers()) === 1);
    // Redis closes the connections that listen to what they may not any more.
    await observer.redis.acl('SETUSER', 'default', 'resetchannels');
    try {
      const refused = `redis refused the subscription to ${intentChannel}; trying again`;
      await eventually(() => supervised.hasLogged(refused), { message: 'the refusal is told' });
    } finally {
      await observer.redis.acl('SETUSER', 'default', 'allchannels');
    }
    await eventually(async () => (await subscribers()) === 1, { message: 'it listens again' });
  }));

test('the wait for an empty queue ends with its signal', async () => {
  const connection = connectPatiently(redis.url, { socketTimeoutMs: 10_000 }, pino({ level: 'silent' }));
  const commands = refuseOnce(null);
  const consumer = new QueueConsumer({
    ...{
      redis: connection,
      name: 'sends-waiting',
      hasRoom: () => false,
      retentionMs: 1,
      log: pino({ level: 'silent' }),
    },
    run: async () => null,
  });
  try {
    await connection.lpush(consumer.waitKey, 'm-waits');
    const end = new AbortController();
    const drained = consumer.drained(end.signal);
    const looks = () => count(commands, /sends-waiting/);
    await eventually(() => looks() > 5);
    end.abort();
    await drained;
    const atTheEnd = looks();
    await connection.del(consumer.waitKey);
    await consumer.drained(new AbortController().signal);
    // Its own looks, and nobody's beside them.
    assert.ok(looks() <= atTheEnd + 3, `${looks() - atTheEnd} looks after the end`);
  } finally {
    commands.restore();
    await consumer.close();
    await disconnect(connection);
  }
});

async function resetMemory(): Promise<void> {
  const connection = connectPatiently(redis.url, { socketTimeoutMs: 10_000 }, pino({ level: 'silent' }));
  await connection.config('SET', 'maxmemory', '0');
  await disconnect(connection);
}
