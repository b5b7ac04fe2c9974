import { Deployment, type OwnedSession } from '../support/deployment.js';
import { eventually } from '../support/eventually.js';
import { faultMatrix } from '../support/matrix/fault-matrix.js';
import { type HeldState, lasting } from '../support/matrix/fault-row.js';
import { scaledTiming as timing } from '../support/scaled-timing.js';

/** Class 4: faults of Redis and of the network to it. */
const pastTheLock = timing.lockDurationMs + 2 * timing.stalledIntervalMs;
const all: readonly [HeldState, ...HeldState[]] = ['ready', 'authenticated', 'qr', 'starting'];
const redisDown = { redisDown: 'shows', noticedMs: 2_500 } as const;

faultMatrix<OwnedSession, Deployment>(
  () => Deployment.open(timing),
  [
    {
      fault: 'Redis is down for longer than a lock lasts, and returns with its data',
      states: all,
      inject: (deployment) => down(deployment, pastTheLock),
      expect: { recovery: 'anybody', ...redisDown },
    },
    {
      fault: 'Redis is down for 30 s',
      states: all,
      inject: (deployment) => down(deployment, 30_000),
      expect: { recovery: 'anybody', ...redisDown },
      isLong: true,
    },
    {
      fault: 'Redis is down for 5 min',
      states: ['ready'],
      inject: (deployment) => down(deployment, 300_000),
      expect: { recovery: 'anybody', ...redisDown },
      isLong: true,
    },
    {
      fault: 'Redis is restarted without its data: the run returns without a request',
      states: all,
      inject: async (deployment, before) => {
        await deployment.redis.restartEmpty();
        await deployment.takenOver(before);
      },
      expect: { recovery: 'anybody', isForgotten: true, redisDown: 'may show' },
    },
    {
      fault: 'FLUSHALL: the run returns without a request',
      states: all,
      inject: async (deployment, before) => {
        await deployment.observer.redis.flushall();
        await deployment.takenOver(before);
      },
      expect: { recovery: 'anybody', isForgotten: true },
    },
    {
      fault: 'Redis is frozen for longer than a lock lasts',
      states: all,
      inject: async ({ redis, scripted }) => {
        redis.signal('SIGSTOP');
        await Promise.all([lasting(pastTheLock), eventually(() => scripted.browsersAlive().length === 0)]);
        redis.signal('SIGCONT');
      },
      expect: { recovery: 'anybody', ...redisDown },
    },
    {
      fault: 'Redis pauses its clients for longer than a lock lasts',
      states: all,
      inject: async ({ observer, scripted }) => {
        await observer.redis.client('PAUSE', pastTheLock, 'ALL');
        await eventually(() => scripted.browsersAlive().length === 0);
        await observer.redis.ping();
      },
      expect: { recovery: 'anybody', ...redisDown },
    },
    {
      fault: 'Redis is out of memory for longer than a lock lasts',
      states: all,
      inject: async ({ observer }) => {
        await observer.redis.config('SET', 'maxmemory', '1');
        await lasting(pastTheLock);
        await observer.redis.config('SET', 'maxmemory', '0');
      },
      expect: { recovery: 'undisturbed' },
    },
    {
      fault: 'Redis is a read-only replica for longer than a lock lasts',
      states: all,
      inject: async ({ observer }) => {
        await observer.redis.call('REPLICAOF', '127.0.0.1', '1');
        await lasting(pastTheLock);
        await observer.redis.call('REPLICAOF', 'NO', 'ONE');
      },
      expect: { recovery: 'anybody', ...redisDown },
    },
    {
      fault: 'every connection of the supervisors is cut and can be reopened at once',
      states: all,
      inject: async (deployment) => {
        for (const network of deployment.networks()) {
          network.cut();
          network.open();
        }
      },
      expect: { recovery: 'undisturbed' },
    },
    {
      fault: 'no supervisor can reach Redis for longer than a lock lasts',
      states: all,
      inject: (deployment) => outage(deployment, 'cut'),
      expect: { recovery: 'anybody', says: /supervisor is gone/ },
    },
    {
      fault: "every supervisor's packets are dropped for longer than a lock lasts",
      states: all,
      inject: (deployment) => outage(deployment, 'freeze'),
      expect: { recovery: 'anybody', says: /supervisor is gone/ },
    },
  ],
);

/** The owner gives up its lease before its lock expires: by then its browser is gone. */
async function down({ redis, scripted }: Deployment, ms: number): Promise<void> {
  await redis.kill();
  await Promise.all([lasting(ms), eventually(() => scripted.browsersAlive().length === 0)]);
  await redis.restart();
}

async function outage(deployment: Deployment, how: 'cut' | 'freeze'): Promise<void> {
  for (const network of deployment.networks()) network[how]();
  const gone = eventually(() => deployment.scripted.browsersAlive().length === 0);
  await Promise.all([lasting(pastTheLock), gone]);
  for (const network of deployment.networks()) network.open();
}
