import { faultRows } from '../support/fault-rows.js';

/** The other fault tests run on a scaled timing table; this is the one that is shipped. */
faultRows({}, [
  {
    title: 'by the default numbers too, the standby takes over from an owner that is killed',
    inject: async (_, { owner }) => {
      owner.signal('SIGKILL');
      await owner.exited;
    },
    expect: 'standby',
  },
]);
