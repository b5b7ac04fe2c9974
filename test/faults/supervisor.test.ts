import assert from 'node:assert/strict';
import { sessionKeys } from '../../src/contract/keys.js';
import { Deployment, type OwnedSession } from '../support/deployment.js';
import { eventually } from '../support/eventually.js';
import { faultMatrix } from '../support/matrix/fault-matrix.js';
import { lasting } from '../support/matrix/fault-row.js';
import { scaledTiming as timing } from '../support/scaled-timing.js';
import { busyMachineTiming } from '../support/stage.js';

/** Class 3: what can befall the supervisor that has the session, and those beside it. */
const pastTheLock = timing.lockDurationMs + 2 * timing.stalledIntervalMs;
const ownerGone = /supervisor is gone/;
/** By the heartbeat, before the lock can lapse. */
const noticedMs = timing.heartbeatTtlMs + 2_000;

faultMatrix<OwnedSession, Deployment>(
  () => Deployment.open(timing, busyMachineTiming),
  [
    {
      fault: 'the owner is killed',
      states: ['ready', 'authenticated', 'qr', 'starting'],
      inject: async (_, { owner }) => {
        owner.signal('SIGKILL');
        await owner.exited;
      },
      expect: { recovery: 'standby', says: ownerGone, noticedMs },
    },
    {
      fault: 'the owner is frozen for longer than its lock, and wakes fenced out',
      states: ['ready', 'authenticated', 'qr', 'starting'],
      inject: async (deployment, before) => {
        before.owner.signal('SIGSTOP');
        await deployment.takenOver(before);
        before.owner.signal('SIGCONT');
        await eventually(() => before.owner.log().includes('run lost'));
        await deployment.untilRegistered(before.owner);
      },
      expect: { recovery: 'standby', says: ownerGone, noticedMs },
    },
    {
      fault: "the owner's event loop is blocked for longer than its lock",
      states: ['ready', 'authenticated', 'qr', 'starting'],
      inject: async (deployment, before) => {
        before.owner.injectFault({ type: 'block', ms: pastTheLock });
        await deployment.takenOver(before);
        await eventually(() => before.owner.log().includes('run lost'));
        await deployment.untilRegistered(before.owner);
      },
      expect: { recovery: 'standby', says: ownerGone, noticedMs },
    },
    {
      fault: 'the owner is asked to stop, with a standby',
      states: ['ready', 'authenticated', 'qr', 'starting'],
      inject: async (deployment, before) => {
        const lapses = await timesLapsed(deployment);
        before.owner.signal('SIGTERM');
        await before.owner.exited;
        await deployment.takenOver(before);
        assert.equal(
          await timesLapsed(deployment),
          lapses,
          'given back: nobody waited for its lock to lapse',
        );
      },
      expect: { recovery: 'standby' },
    },
    {
      fault: 'the owner is asked to stop and there is no standby until later',
      states: ['ready', 'authenticated', 'qr', 'starting'],
      inject: async (deployment, { owner }) => {
        await deployment.endStandby(owner);
        owner.signal('SIGTERM');
        await owner.exited;
        await lasting(noticedMs);
        await deployment.startSupervisor();
      },
      expect: { recovery: 'standby', says: ownerGone, noticedMs: timing.threadStopGraceMs + 4_000 },
    },
    {
      fault: 'two supervisors are started at once for a run that waits',
      states: ['ready', 'authenticated', 'qr', 'starting'],
      inject: async (deployment, { owner }) => {
        await deployment.endStandby(owner);
        owner.signal('SIGKILL');
        await owner.exited;
        await lasting(pastTheLock);
        await Promise.all([deployment.startSupervisor(), deployment.startSupervisor()]);
      },
      expect: { recovery: 'standby', says: ownerGone },
    },
    {
      fault: "the owner's wall clock goes back an hour",
      states: ['ready', 'authenticated', 'qr', 'starting'],
      inject: async (_, { owner }) => {
        owner.injectFault({ type: 'clock', byMs: -3_600_000 });
        await lasting(pastTheLock);
        owner.injectFault({ type: 'clock', byMs: 3_600_000 });
      },
      expect: { recovery: 'undisturbed' },
    },
    {
      fault: "the owner's wall clock goes an hour ahead",
      states: ['ready', 'authenticated', 'qr', 'starting'],
      inject: async (_, { owner }) => {
        owner.injectFault({ type: 'clock', byMs: 3_600_000 });
        await lasting(pastTheLock);
        owner.injectFault({ type: 'clock', byMs: -3_600_000 });
      },
      expect: { recovery: 'undisturbed' },
    },
    {
      fault:
        'the owner alone cannot reach Redis for longer than its lock: it can take the session back later',
      states: ['ready', 'authenticated', 'qr', 'starting'],
      inject: (deployment, before) => cutOff(deployment, before, 'cut'),
      expect: { recovery: 'same owner', says: ownerGone },
    },
    {
      fault: "the owner's packets alone are swallowed for longer than its lock: likewise",
      states: ['ready', 'authenticated', 'qr', 'starting'],
      inject: (deployment, before) => cutOff(deployment, before, 'freeze'),
      expect: { recovery: 'same owner', says: ownerGone },
    },
    {
      fault: 'the only supervisor cannot reach Redis for longer than its lock: it starts the run once',
      states: ['ready', 'authenticated', 'qr', 'starting'],
      inject: async (deployment, { owner }) => {
        await deployment.endStandby(owner);
        owner.network.cut();
        await lasting(pastTheLock);
        owner.network.open();
      },
      expect: { recovery: 'same owner', says: ownerGone },
    },
    {
      fault: 'the owner dies with a logout unfulfilled: the standby carries it out',
      states: ['ready', 'authenticated', 'qr', 'starting'],
      inject: async ({ observer }, { owner }) => {
        owner.signal('SIGSTOP');
        await observer.requestEnd('logout');
        owner.signal('SIGKILL');
        await observer.untilEnded('the standby has logged out', 60_000);
        // Only a new start brings the session back, and its credentials are gone.
        await observer.start();
      },
      expect: { recovery: 'standby', isEnded: true, mayLoseSends: true },
    },
  ],
);

/** How often the run was taken up because its lock had lapsed. */
async function timesLapsed({ observer }: Deployment): Promise<number> {
  return Number((await observer.redis.hget(sessionKeys(observer.session).job, 'stc')) ?? 0);
}

/** Whether the owner's queue worker came back as well shows when the other one goes. */
async function cutOff(deployment: Deployment, before: OwnedSession, how: 'cut' | 'freeze'): Promise<void> {
  const { owner } = before;
  owner.network[how]();
  await deployment.takenOver(before);
  owner.network.open();
  await eventually(() => owner.log().includes('run lost'));
  await deployment.untilRegistered(owner);
  await deployment.endStandby(owner);
}
