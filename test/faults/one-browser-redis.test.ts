import { eventually } from '../support/eventually.js';
import { faultRows, lasting } from '../support/fault-rows.js';
import { scaledTiming as timing } from '../support/scaled-timing.js';

/** What can befall Redis, for both supervisors alike. */
const pastTheLock = timing.lockDurationMs + 2 * timing.stalledIntervalMs;

faultRows(timing, [
  {
    title: 'Redis is killed and comes back at once: nobody is disturbed',
    inject: ({ redis }) => redis.restart(),
    expect: 'same browser',
  },
  {
    title: 'Redis is killed and comes back after longer than a lock lives: the browser was gone by then',
    inject: async ({ redis, theatre }) => {
      await redis.kill();
      await Promise.all([lasting(pastTheLock), eventually(() => theatre.browsersAlive().length === 0)]);
      await redis.restart();
    },
    expect: 'anybody',
  },
  {
    title: 'Redis is frozen for longer than a lock lives: the browser was gone by then',
    inject: async ({ redis, theatre }) => {
      redis.signal('SIGSTOP');
      await Promise.all([lasting(pastTheLock), eventually(() => theatre.browsersAlive().length === 0)]);
      redis.signal('SIGCONT');
    },
    expect: 'anybody',
  },
  {
    title: 'Redis pauses its clients for longer than a lock lives',
    inject: async ({ observer, theatre }) => {
      await observer.redis.client('PAUSE', pastTheLock, 'ALL');
      await eventually(() => theatre.browsersAlive().length === 0);
      await observer.redis.ping();
    },
    expect: 'anybody',
  },
  {
    title: 'Redis loses all its data: the run comes back by itself',
    inject: async ({ observer }, { status }) => {
      await observer.redis.flushall();
      await observer.until(({ epoch }) => epoch > status.epoch, 'a new run');
    },
    expect: 'anybody',
  },
  {
    title: 'Redis has no memory left for longer than a lock lives: nobody is disturbed',
    inject: async ({ observer }) => {
      await observer.redis.config('SET', 'maxmemory', '1');
      await lasting(pastTheLock);
      await observer.redis.config('SET', 'maxmemory', '0');
    },
    expect: 'same browser',
  },
]);
