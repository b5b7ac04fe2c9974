import { eventually } from '../support/eventually.js';
import { faultRows, lasting } from '../support/fault-rows.js';
import { scaledTiming as timing } from '../support/scaled-timing.js';

/** What can befall the process of the session's owner. */
const pastTheLock = timing.lockDurationMs + 2 * timing.stalledIntervalMs;

faultRows(timing, [
  {
    title: 'control: without a fault the same browser stays, for longer than a lock lives',
    inject: () => lasting(pastTheLock),
    expect: 'same browser',
  },
  {
    title: 'an owner that is killed: the standby takes over',
    inject: async (_, { owner }) => {
      owner.signal('SIGKILL');
      await owner.exited;
    },
    expect: 'standby',
  },
  {
    title: 'an owner that is asked to stop: the standby takes over',
    inject: async (_, { owner }) => {
      owner.signal('SIGTERM');
      await owner.exited;
    },
    expect: 'standby',
  },
  {
    title: 'an owner that is frozen for longer than its lock, and wakes: the standby keeps the session',
    inject: async (deployment, { owner, status }) => {
      owner.signal('SIGSTOP');
      await deployment.observer.until(({ ready, epoch }) => ready && epoch > status.epoch, 'taken over');
      owner.signal('SIGCONT');
      await eventually(() => owner.log().includes('run lost'));
      await deployment.untilOnRoll(owner);
    },
    expect: 'standby',
  },
  {
    title: 'an owner whose event loop is blocked for longer than its lock: the standby keeps the session',
    inject: async (deployment, { owner, status }) => {
      owner.afflict({ type: 'block', ms: pastTheLock });
      await deployment.observer.until(({ ready, epoch }) => ready && epoch > status.epoch, 'taken over');
      await eventually(() => owner.log().includes('run lost'));
      await deployment.untilOnRoll(owner);
    },
    expect: 'standby',
  },
  {
    title: 'an owner whose wall clock goes back an hour: nobody is disturbed',
    inject: async (_, { owner }) => {
      owner.afflict({ type: 'clock-back' });
      await lasting(pastTheLock);
    },
    expect: 'same browser',
  },
  {
    title: 'an owner that dies with a logout unfulfilled: the standby carries it out',
    inject: async (deployment, { owner }) => {
      const { observer } = deployment;
      owner.signal('SIGSTOP');
      await observer.requestEnd('logout');
      owner.signal('SIGKILL');
      await observer.untilEnded();
      // Only a new start brings the session back, and its credentials are gone.
      await observer.start();
    },
    expect: 'standby',
  },
]);
