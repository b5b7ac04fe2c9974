import { execFileSync } from 'node:child_process';
import { ChromiumStage } from '../support/chromium-stage.js';
import { faultMatrix } from '../support/matrix/fault-matrix.js';
import { type FaultRow, type HeldState, lasting, type SteadySession } from '../support/matrix/fault-row.js';

/** Part of class 6: a host is lost, and a second one with the same `WHATSAPP_AUTH_DIR` takes the session over. */
const all: readonly [HeldState, ...HeldState[]] = ['ready', 'authenticated', 'qr', 'starting'];

/** Longer leases than in other tests: Chromium on a busy machine is slower than scripted browsers. */
const timing = {
  lockDurationMs: 8_000,
  renewIntervalMs: 1_000,
  giveUpMs: 5_000,
  guardTimeoutMs: 5_500,
  killAllowanceMs: 1_000,
  socketTimeoutMs: 2_000,
  drainDelayMs: 1_000,
  stalledIntervalMs: 500,
};

const ownerGone = /supervisor is gone/;
/** The heartbeat shows it well before the lock expires. */
const noticedMs = 5_000;
let hosts = 0;

/** A command prefix that gives a host its own name, so its browser's lock on the profile is foreign to other hosts. */
function otherHost(): string[] {
  const name = `host-${++hosts}`;
  return canNameHosts ? ['unshare', '--uts', 'sh', '-c', `hostname ${name} && exec "$@"`, 'sh'] : [];
}

const canNameHosts = (() => {
  try {
    execFileSync('unshare', ['--uts', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    console.log('this machine cannot give hosts names of their own: all hosts have the same name');
    return false;
  }
})();

const rows: readonly FaultRow<ChromiumStage>[] = [
  {
    fault: 'the host is lost, and a standby host takes over',
    states: all,
    inject: async (stage) => {
      const host = stage.supervisor;
      await stage.addHost(otherHost()).runs();
      await stage.killHost(host);
    },
    expect: { recovery: 'standby', says: ownerGone },
  },
  {
    fault: 'the host is lost, and another one starts only later',
    states: all,
    inject: async (stage) => {
      await stage.killHost(stage.supervisor);
      await lasting(timing.lockDurationMs);
      stage.addHost(otherHost());
    },
    expect: { recovery: 'standby', says: ownerGone, noticedMs },
  },
  {
    fault: 'the host is shut down, and a standby host takes over',
    states: all,
    inject: async (stage) => {
      const host = stage.supervisor;
      await stage.addHost(otherHost()).runs();
      await host.end('SIGTERM');
    },
    expect: { recovery: 'standby' },
  },
  {
    fault: 'the supervisor freezes, another host takes over, and the supervisor wakes',
    states: all,
    inject: async (stage, { status }) => {
      const host = stage.supervisor;
      await stage.addHost(otherHost()).runs();
      host.signal('SIGSTOP');
      await stage.until((s) => s.epoch > status.epoch, 'taken over');
      host.signal('SIGCONT');
      await lasting(2_000);
      await host.end('SIGTERM');
    },
    expect: { recovery: 'standby', says: ownerGone },
  },
];

faultMatrix<SteadySession, ChromiumStage>(() => ChromiumStage.open({ timing }), rows);
