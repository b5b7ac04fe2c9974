import { Deployment, type OwnedSession } from '../support/deployment.js';
import { eventually } from '../support/eventually.js';
import { faultMatrix } from '../support/matrix/fault-matrix.js';
import { lasting } from '../support/matrix/fault-row.js';

/** The other files run on a shortened timing table; these rows need the one that is shipped. */
faultMatrix<OwnedSession, Deployment>(
  () => Deployment.open({}),
  [
    {
      fault: 'the owner is killed: by the shipped numbers, too, the standby takes over',
      states: ['ready'],
      inject: async (_, { owner }) => {
        owner.signal('SIGKILL');
        await owner.exited;
      },
      expect: { recovery: 'standby', says: /supervisor is gone/, noticedMs: 9_000 },
    },
    {
      // How long that takes depends on the machine: it must be well within the life of a heartbeat.
      fault: 'Redis is killed and comes back at once, with its data',
      states: ['ready', 'authenticated', 'qr', 'starting'],
      inject: ({ redis }) => redis.restart(),
      expect: { recovery: 'undisturbed', redisDown: 'may show' },
    },
    {
      fault: 'every reply of Redis to the supervisors is slow by 2 s, for longer than a lock lives',
      states: ['ready', 'authenticated', 'qr', 'starting'],
      inject: async (deployment) => {
        for (const network of deployment.networks()) network.delayReplies(2_000);
        await lasting(20_000);
        for (const network of deployment.networks()) network.open();
      },
      expect: { recovery: 'undisturbed' },
    },
    {
      fault: 'Redis is down for 5 s, which a browser sits out',
      states: ['ready', 'authenticated', 'qr', 'starting'],
      inject: async ({ redis, observer }) => {
        // A lock that was just renewed: on a machine without a moment to spare the next renewal may be late. It counts from
        // when it was sent, and the slow replies of the row before may have held one back: hence a second one.
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
