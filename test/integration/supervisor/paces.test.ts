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

/** Every loop that calls Redis has an end and a delay. */
const redis = await startRedis();

after(async () => {
  await redis.stop();
  await assertNothingLeft();
});

const count = ({ counts }: RefusedCommand, wanted: RegExp) =>
  [...counts].reduce((sum, [kind, times]) => sum + (wanted.test(kind) ? times : 0), 0);

test('a supervisor whose claims Redis refuses polls no faster than it registers', async () => {
  const commands = refuseOnce(null);
  try {
    await new SupervisedSession(redis).during(async (supervised) => {
      const { observer } = supervised;
      await observer.start();
      await observer.redis.config('SET', 'maxmemory', '1');
      const starting = supervised.startSupervisor();
      const registrations = () => count(commands, /\{wa\}:supervisors$/);
      await eventually(() => registrations() >= 5);
      const asked = count(commands, /\{wa\}:sessions:wait$/);
      assert.ok(asked > 0);
      assert.ok(asked <= 2 * registrations(), `${asked} times within ${registrations()} registrations`);
      await observer.redis.config('SET', 'maxmemory', '0');
      await starting;
      await observer.untilReady('the run is taken all the same');
    });
  } finally {
    commands.restore();
    await resetMemory();
  }
});

test('a subscription that Redis refuses after a reconnect is retried', () =>
  new SupervisedSession(redis).during(async (supervised) => {
    const { observer } = supervised;
    const subscribers = async () => (await observer.redis.pubsub('NUMSUB', intentChannel))[1];
    await supervised.startSupervisor();
    await eventually(async () => (await subscribers()) === 1);
    // Redis closes connections that lose the right to their channels.
    await observer.redis.acl('SETUSER', 'default', 'resetchannels');
    try {
      const refused = `Redis refused the subscription to ${intentChannel}; trying again`;
      await eventually(() => supervised.hasLogged(refused), { message: 'the refusal is logged' });
    } finally {
      await observer.redis.acl('SETUSER', 'default', 'allchannels');
    }
    await eventually(async () => (await subscribers()) === 1, {
      message: 'the supervisor is subscribed again',
    });
  }));

test('the wait for an empty queue ends with its signal', async () => {
  const connection = connectPatiently(redis.url, { socketTimeoutMs: 10_000 }, pino({ level: 'silent' }));
  const commands = refuseOnce(null);
  const consumer = new QueueConsumer({
    ...{
      redis: connection,
      name: 'sends-waiting',
      hasRoom: () => false,
      lock: { key: '{wa}:sessions:s-waiting:lock', token: 'a' },
      isHeld: () => true,
      retentionMs: 1,
      log: pino({ level: 'silent' }),
    },
    run: async () => null,
  });
  try {
    await connection.lpush(consumer.waitKey, 'm-waits');
    const end = new AbortController();
    const drained = consumer.drained(end.signal);
    const reads = () => count(commands, /sends-waiting/);
    await eventually(() => reads() > 5);
    end.abort();
    await drained;
    const atTheEnd = reads();
    await connection.del(consumer.waitKey);
    await consumer.drained(new AbortController().signal);
    // Only the reads of the second wait.
    assert.ok(reads() <= atTheEnd + 3, `${reads() - atTheEnd} reads after the end`);
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
