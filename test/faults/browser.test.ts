import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { ChromiumStage } from '../support/chromium-stage.js';
import { eventually } from '../support/eventually.js';
import { faultMatrix } from '../support/matrix/fault-matrix.js';
import { type FaultRow, type HeldState, lasting, type SteadySession } from '../support/matrix/fault-row.js';
import { kill } from '../support/processes.js';
import { mountSmallDisk } from '../support/small-disk.js';

/** Class 2: faults of the browser, its page and its profile. */
const all: readonly [HeldState, ...HeldState[]] = ['ready', 'authenticated', 'qr', 'starting'];
const died = /the browser died \(signal SIGKILL\)/;
/** Before its first sign of life a frozen page looks like a slow one: it has the whole start deadline. */
const deafWhileStarting = {
  recovery: 'same run',
  says: /stopped answering|did not answer within 20 s/,
  noticedMs: 28_000,
} as const;

const rows: readonly FaultRow<ChromiumStage>[] = [
  {
    fault: 'the browser is killed',
    states: all,
    inject: async (stage) => stage.killBrowser(),
    expect: { recovery: 'new browser', says: died, noticedMs: 1_500 },
  },
  {
    fault: 'the browser is frozen for longer than any deadline',
    states: all,
    inject: async (_, { browser }) => freeze(browser),
    expect: { recovery: 'new browser', says: /stopped answering/, noticedMs: 8_000 },
    expectIn: { starting: deafWhileStarting },
  },
  {
    fault: "the page's renderer is killed",
    states: all,
    inject: async (stage) => {
      for (const pid of stage.rendererPids()) kill(pid, 'SIGKILL');
    },
    expect: { recovery: 'same browser', says: /page of WhatsApp Web crashed/, noticedMs: 1_500 },
  },
  {
    fault: 'the page runs into a busy loop',
    states: all,
    inject: ({ whatsApp }) => whatsApp.faults.hangNow(),
    expect: { recovery: 'new browser', says: /stopped answering/, noticedMs: 8_000 },
    expectIn: { starting: deafWhileStarting },
  },
  {
    fault: 'the page reloads by itself',
    states: all,
    inject: ({ whatsApp }) => whatsApp.faults.reloadNow(),
    expect: { recovery: 'same run' },
  },
  {
    fault: 'the page reloads by itself and syncs before the library listens',
    states: ['ready'],
    inject: async ({ whatsApp }) => {
      await whatsApp.faults.set({ alreadySynced: true });
      await whatsApp.faults.reloadNow();
    },
    expect: { recovery: 'same run' },
  },
  {
    fault: 'the page reloads twice while the library sets it up',
    states: all,
    inject: async ({ whatsApp }) => {
      await whatsApp.faults.reloadNow();
      await lasting(270);
      await whatsApp.faults.reloadNow();
    },
    expect: { recovery: 'same run' },
  },
  {
    fault: 'a new page reloads in the middle of the login',
    states: ['ready', 'qr'],
    inject: async (stage, { status }) => {
      await stage.whatsApp.faults.set({ reloadAt: { step: status.has_qr ? 'first-ref' : 'connected' } });
      stage.killBrowser();
      await eventually(async () => (await stage.whatsApp.faults.current()).reloadAt === null, {
        timeoutMs: 60_000,
        message: 'the page reloads',
      });
    },
    expect: { recovery: 'new browser', says: died },
  },
  {
    fault: 'an iframe and a change of the address make the library set the page up again',
    states: ['qr', 'ready', 'authenticated', 'starting'],
    inject: async ({ whatsApp }) => {
      await whatsApp.faults.appendIframeNow();
      await whatsApp.faults.pushStateNow();
      await lasting(1_000);
    },
    expect: { recovery: 'same thread' },
  },
  {
    fault: 'a dead browser leaves its lock on the profile, and another process gets its pid',
    states: all,
    inject: (stage) => dieLocked(stage, `${hostname()}-${process.pid}`),
    expect: { recovery: 'new browser', says: died, noticedMs: 1_500 },
  },
  {
    fault: 'the profile has the lock of another host',
    states: all,
    inject: (stage) => dieLocked(stage, 'another-host-1'),
    expect: { recovery: 'new browser', says: died, noticedMs: 1_500 },
  },
  {
    fault: "Chromium's own files in the profile are corrupt",
    states: all,
    inject: async (stage, { browser }) => {
      const files = ['Local State', 'Default/Preferences'].map((name) => join(stage.profileDir, name));
      // Chromium writes them some time after its start.
      await eventually(() => files.every((file) => existsSync(file)), { timeoutMs: 30_000 });
      freeze(browser);
      corrupt(...files);
      stage.killBrowser();
    },
    expect: { recovery: 'new browser', says: died },
  },
  {
    fault: "the page's databases in the profile are corrupt: the login is lost",
    states: ['ready'],
    inject: async (stage, { browser }) => {
      freeze(browser);
      for (const store of ['IndexedDB', 'Local Storage']) {
        corrupt(...filesBelow(join(stage.profileDir, 'Default', store)));
      }
      stage.killBrowser();
      await stage.scanned();
    },
    expect: { recovery: 'new browser', says: died, needsScan: true, isEnded: true, mayLoseSends: true },
  },
];

const disk = mountSmallDisk(96);
const onSmallDisk: readonly FaultRow<ChromiumStage>[] = [
  {
    fault: "the profile's disk is full",
    states: all,
    inject: async () => {
      disk?.fill();
      await lasting(3_000);
    },
    expect: { recovery: 'undisturbed' },
    // These two states go on to `ready`.
    expectIn: { authenticated: { recovery: 'same thread' }, starting: { recovery: 'same thread' } },
  },
  {
    fault: "the browser is killed while the profile's disk is full, and for a while after",
    states: all,
    inject: async (stage) => {
      disk?.fill();
      stage.killBrowser();
      await lasting(4_000);
    },
    expect: { recovery: 'same run', says: /its disk is full/ },
  },
];
if (disk === null) console.log('this machine cannot mount a small disk: the full-disk faults are skipped');

faultMatrix<SteadySession, ChromiumStage>(
  () => ChromiumStage.open({ disk }),
  [...rows, ...(disk ? onSmallDisk : [])],
);

/** Kills the browser and leaves a lock of this holder for the next one. */
async function dieLocked(stage: ChromiumStage, holder: string): Promise<void> {
  const lock = join(stage.profileDir, 'SingletonLock');
  rmSync(lock, { force: true });
  symlinkSync(holder, lock);
  stage.killBrowser();
}

/** Keeps the browser from rewriting or dropping files while they are corrupted. */
function freeze(browser: number): void {
  kill(-browser, 'SIGSTOP');
}

function corrupt(...files: string[]): void {
  assert.ok(files.length > 0);
  for (const file of files) writeFileSync(file, randomBytes(statSync(file).size));
}

function filesBelow(dir: string): string[] {
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
}
