import { after, test } from 'node:test';
import { pino } from 'pino';
import { EventFollower } from '../../src/http/events/follower.js';
import { deferred, withDeadline } from '../../src/platform/deadline.js';
import { connectPatiently } from '../../src/platform/redis.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { assertNothingLeft } from '../support/leftovers.js';

after(assertNothingLeft);

for (const when of ['closes', 'is left by its last listener and closes']) {
  test(`a follower that ${when} while Redis is away does not wait for it`, async () => {
    const port = await freePort();
    const log = pino({ level: 'silent' });
    const isDown = deferred<void>();
    const follower = new EventFollower({
      connect() {
        const redis = connectPatiently(`redis://127.0.0.1:${port}`, { socketTimeoutMs: 10_000 }, log);
        redis.once('reconnecting', () => isDown.resolve());
        return redis;
      },
      session: 'default',
      blockMs: 1_000,
      lingerMs: 0,
      onState: () => undefined,
      log,
    });
    const leave = follower.join({ onEvents: () => undefined, onLoss: () => undefined }, '-');
    await isDown.promise;
    if (when !== 'closes') {
      leave();
      await eventually(() => follower.position === null);
    }
    await withDeadline(follower.close(), 10_000, 'the end of the follower');
  });
}
