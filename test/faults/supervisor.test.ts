import assert from 'node:assert/strict';
import { sessionKeys } from '../../src/contract/keys.js';
import { Deployment, type OwnedSession } from '../support/deployment.js';
import { eventually } from '../support/eventually.js';
import { faultMatrix } from '../support/matrix/fault-matrix.js';
import { lasting } from '../support/matrix/fault-row.js';
import { scaledTiming as timing } from '../support/scaled-timing.js';
import { busyMachineTiming } from '../support/stage.js';

/** Class 3: faults of the supervisor that owns the session, and of its standbys. */
const pastTheLock = timing.lockDurationMs + 2 * timing.stalledIntervalMs;
const ownerGone = /supervisor is gone/;
/** The heartbeat shows it before the lock expires. */
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
      fault: 'the owner is frozen for longer than its lock lasts, and wakes fenced out',
      states: ['ready', 'authenticated', 'qr', 'starting'],
      inject: async (deployment, before) => {
        before.owner.signal('SIGSTOP');
        await deployment.takenOver(before);
        before.owner.signal('SIGCONT');
        await eventually(() => before.owner.log().includes('lost the session'));
        await deployment.untilRegistered(before.owner);
      },
      expect: { recovery: 'standby', says: ownerGone, noticedMs },
    },
    {
      fault: "the owner's event loop is blocked for longer than its lock lasts",
      states: ['ready', 'authenticated', 'qr', 'starting'],
      inject: async (deployment, before) => {
        before.owner.injectFault({ type: 'block', ms: pastTheLock });
        await deployment.takenOver(before);
        await eventually(() => before.owner.log().includes('lost the session'));
        await deployment.untilRegistered(before.owner);
      },
      expect: { recovery: 'standby', says: ownerGone, noticedMs },
    },
    {
      fault: 'the owner is shut down, with a standby',
      states: ['ready', 'authenticated', 'qr', 'starting'],
      inject: async (deployment, before) => {
        const stalledBefore = await timesStalled(deployment);
        before.owner.signal('SIGTERM');
        await before.owner.exited;
        await deployment.takenOver(before);
        assert.equal(
          await timesStalled(deployment),
          stalledBefore,
          'the owner released the run: its lock did not have to expire',
        );
      },
      expect: { recovery: 'standby' },
    },
    {
      fault: 'the owner is shut down, and a standby starts only later',
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
      fault: 'two supervisors start at once while the run waits for one',
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
        'only the owner cannot reach Redis, for longer than its lock lasts: it can own the session again later',
      states: ['ready', 'authenticated', 'qr', 'starting'],
      inject: (deployment, before) => cutOff(deployment, before, 'cut'),
      expect: { recovery: 'same owner', says: ownerGone },
    },
    {
      fault:
        "only the owner's packets are dropped, for longer than its lock lasts: it can own the session again later",
      states: ['ready', 'authenticated', 'qr', 'starting'],
      inject: (deployment, before) => cutOff(deployment, before, 'freeze'),
      expect: { recovery: 'same owner', says: ownerGone },
    },
    {
      fault: 'the only supervisor cannot reach Redis for longer than its lock lasts: it starts the run once',
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
      fault: 'the owner dies before it carries out a logout: the standby does',
      states: ['ready', 'authenticated', 'qr', 'starting'],
      inject: async ({ observer }, { owner }) => {
        owner.signal('SIGSTOP');
        await observer.requestEnd('logout');
        owner.signal('SIGKILL');
        await observer.untilEnded('the standby has logged out', 60_000);
        // Only a new start brings the session back, without its credentials.
        await observer.start();
      },
      expect: { recovery: 'standby', isEnded: true, mayLoseSends: true },
    },
  ],
);

/** How often a supervisor took the run because its lock had expired. */
async function timesStalled({ observer }: Deployment): Promise<number> {
  return Number((await observer.redis.hget(sessionKeys(observer.session).job, 'stc')) ?? 0);
}

/** Ends the standby afterwards: the session returns only if the owner's queue worker has recovered too. */
async function cutOff(deployment: Deployment, before: OwnedSession, how: 'cut' | 'freeze'): Promise<void> {
  const { owner } = before;
  owner.network[how]();
  await deployment.takenOver(before);
  owner.network.open();
  await eventually(() => owner.log().includes('lost the session'));
  await deployment.untilRegistered(owner);
  await deployment.endStandby(owner);
}
