import { Deployment, type OwnedSession } from '../support/deployment.js';
import { eventually } from '../support/eventually.js';
import { faultMatrix } from '../support/matrix/fault-matrix.js';
import { lasting } from '../support/matrix/fault-row.js';

/** The other files run on a shortened timing table; these rows need the shipped one. */
faultMatrix<OwnedSession, Deployment>(
  () => Deployment.open({}),
  [
    {
      fault: 'the owner is killed: the standby takes over with the shipped timing too',
      states: ['ready'],
      inject: async (_, { owner }) => {
        owner.signal('SIGKILL');
        await owner.exited;
      },
      expect: { recovery: 'standby', says: /supervisor is gone/, noticedMs: 9_000 },
    },
    {
      // The time depends on the machine: it must be well below the TTL of a heartbeat.
      fault: 'Redis is killed and comes back at once, with its data',
      states: ['ready', 'authenticated', 'qr', 'starting'],
      inject: ({ redis }) => redis.restart(),
      expect: { recovery: 'undisturbed', redisDown: 'may show' },
    },
    {
      fault: 'every reply of Redis to the supervisors is 2 s late, for longer than a lock lasts',
      states: ['ready', 'authenticated', 'qr', 'starting'],
      inject: async (deployment) => {
        for (const network of deployment.networks()) network.delayReplies(2_000);
        await lasting(20_000);
        for (const network of deployment.networks()) network.open();
      },
      expect: { recovery: 'undisturbed' },
    },
    {
      fault: 'Redis is down for 5 s, which the browser survives',
      states: ['ready', 'authenticated', 'qr', 'starting'],
      inject: async ({ redis, observer }) => {
        // Begins right after a renewal, since on a busy machine the next one may be late. A renewal counts from when it was
        // sent, and the slow replies of the previous row may have delayed one: hence it waits for a second.
        const isRenewed = async () => (await observer.read()).lockPttl > 14_000;
        await eventually(async () => !(await isRenewed()), { timeoutMs: 30_000 });
        await eventually(isRenewed, { timeoutMs: 30_000 });
        await redis.kill();
        await lasting(5_000);
        await redis.restart();
      },
      expect: { recovery: 'same thread', redisDown: 'shows' },
    },
  ],
);
