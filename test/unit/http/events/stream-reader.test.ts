import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { sessionKeys } from '../../../../src/contract/keys.js';
import { defaultStream } from '../../../../src/http/events/event-source.js';
import { StreamReader } from '../../../../src/http/events/stream-reader.js';
import { deferred, withDeadline } from '../../../../src/platform/deadline.js';
import { connectPatiently } from '../../../../src/platform/redis/connection.js';
import { bothAt } from '../../../../src/platform/store/event-positions.js';
import { eventually } from '../../../support/eventually.js';
import { freePort } from '../../../support/free-port.js';
import { assertNothingLeft } from '../../../support/leftovers.js';
import { openRedis } from '../../../support/shared-redis.js';

after(assertNothingLeft);

for (const when of ['closes', 'loses its last subscriber and closes']) {
  test(`a reader that ${when} while Redis is down does not wait for it`, async () => {
    const port = await freePort();
    const log = pino({ level: 'silent' });
    const isDown = deferred<void>();
    const reader = new StreamReader({
      connect() {
        const redis = connectPatiently(`redis://127.0.0.1:${port}`, { socketTimeoutMs: 10_000 }, log);
        redis.once('reconnecting', () => isDown.resolve());
        return redis;
      },
      source: defaultStream,
      blockMs: 1_000,
      lingerMs: 0,
      onState: () => undefined,
      log,
    });
    const leave = reader.subscribe(
      { onEvents: () => undefined, onLoss: () => undefined, fail: () => undefined },
      bothAt('-'),
    );
    await isDown.promise;
    if (when !== 'closes') {
      leave();
      await eventually(() => reader.cursor === null);
    }
    await withDeadline(reader.close(), 10_000, 'the end of the reader');
  });
}

test('a subscriber that throws fails, and the others get every event', async () => {
  const server = await openRedis();
  const log = pino({ level: 'silent' });
  const writer = new Redis(server.url);
  const reader = new StreamReader({
    connect: () => connectPatiently(server.url, { socketTimeoutMs: 10_000 }, log),
    ...{ source: defaultStream, blockMs: 1_000, lingerMs: 0, onState: () => undefined, log },
  });
  const failures: unknown[] = [];
  const heard: (string | null)[] = [];
  const broken = new Error('the subscriber failed');
  const leave = reader.subscribe(
    {
      onEvents() {
        throw broken;
      },
      onLoss: () => undefined,
      fail(error) {
        failures.push(error);
        leave();
      },
    },
    bothAt('-'),
  );
  reader.subscribe(
    {
      onEvents: (events) => heard.push(...events.map(({ id }) => id)),
      onLoss: () => undefined,
      fail: () => assert.fail('it failed'),
    },
    bothAt('-'),
  );
  try {
    const ids: (string | null)[] = [];
    for (let i = 0; i < 2; i++) {
      ids.push(await writer.xadd(sessionKeys('default').events, '*', 'type', 'message', 'event', '{}'));
      await eventually(() => heard.length === ids.length);
    }
    assert.deepEqual(heard, ids);
    assert.deepEqual(failures, [broken]);
  } finally {
    await reader.close();
    writer.disconnect();
    await server.stop();
  }
});
