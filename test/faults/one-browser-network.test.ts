import type { Deployment, Settled } from '../support/deployment.js';
import { eventually } from '../support/eventually.js';
import { faultRows, lasting } from '../support/fault-rows.js';
import { scaledTiming as timing } from '../support/scaled-timing.js';

/** What can befall the way between supervisors and Redis. */
const pastTheLock = timing.lockDurationMs + 2 * timing.stalledIntervalMs;

faultRows(timing, [
  {
    title: 'every connection is cut and can be made again at once: nobody is disturbed',
    inject: async (deployment) => {
      for (const network of deployment.networks()) {
        network.cut();
        network.open();
      }
    },
    expect: 'same browser',
  },
  {
    title: 'Redis is out of reach for all for longer than a lock lives',
    inject: (deployment) => outage(deployment, 'cut'),
    expect: 'anybody',
  },
  {
    title: 'packets are swallowed for all for longer than a lock lives',
    inject: (deployment) => outage(deployment, 'freeze'),
    expect: 'anybody',
  },
  {
    title:
      'the owner alone is cut off: the standby takes over, and the owner can take the session back later',
    inject: (deployment, settled) => ownerAlone(deployment, settled, 'cut'),
    expect: 'same owner',
  },
  {
    title: "the owner's packets alone are swallowed: likewise",
    inject: (deployment, settled) => ownerAlone(deployment, settled, 'freeze'),
    expect: 'same owner',
  },
  {
    title: 'a slow network, well below the deadlines: nobody is disturbed',
    inject: async (deployment) => {
      for (const network of deployment.networks()) network.delay(timing.renewIntervalMs / 5);
      await lasting(pastTheLock);
      for (const network of deployment.networks()) network.open();
    },
    expect: 'same browser',
  },
]);

async function outage(deployment: Deployment, how: 'cut' | 'freeze'): Promise<void> {
  for (const network of deployment.networks()) network[how]();
  const gone = eventually(() => deployment.theatre.browsersAlive().length === 0);
  await Promise.all([lasting(pastTheLock), gone]);
  for (const network of deployment.networks()) network.open();
}

/** Whether the owner's queue worker came back as well shows when the other one goes. */
async function ownerAlone(
  deployment: Deployment,
  { owner, status }: Settled,
  how: 'cut' | 'freeze',
): Promise<void> {
  owner.network[how]();
  const taken = await deployment.observer.until(
    ({ ready, epoch }) => ready && epoch > status.epoch,
    'taken over',
  );
  owner.network.open();
  await eventually(() => owner.log().includes('run lost'));
  await deployment.untilOnRoll(owner);
  const standby = deployment.standbyOf(owner);
  standby.signal('SIGTERM');
  await standby.exited;
  await deployment.observer.until(({ ready, epoch }) => ready && epoch > taken.epoch, 'taken back');
}
