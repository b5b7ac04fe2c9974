import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ChromiumStage } from '../support/chromium-stage.js';
import { eventually } from '../support/eventually.js';
import { faultMatrix } from '../support/matrix/fault-matrix.js';
import type { FaultRow, HeldState, SteadySession } from '../support/matrix/fault-row.js';
import { replaceFile } from '../support/replace-file.js';

/** Class 1: faults of the session worker's thread, injected from inside a thread with the real client. */
const all: readonly [HeldState, ...HeldState[]] = ['ready', 'authenticated', 'qr', 'starting'];

const rows: readonly FaultRow<ChromiumStage>[] = [
  {
    fault: 'the thread throws',
    states: all,
    inject: (stage) => breakThread(stage, 'throw'),
    expect: {
      recovery: 'same browser',
      says: /the session worker failed: thrown on purpose/,
      noticedMs: 3_000,
    },
  },
  {
    fault: 'the thread exits',
    states: all,
    inject: (stage) => breakThread(stage, 'exit'),
    expect: { recovery: 'same browser', says: /the session worker exited with code 7/, noticedMs: 3_000 },
  },
  {
    fault: 'the thread leaves a rejection unhandled',
    states: all,
    inject: (stage) => breakThread(stage, 'reject'),
    expect: {
      recovery: 'same browser',
      says: /the session worker failed: rejected on purpose/,
      noticedMs: 3_000,
    },
  },
  {
    fault: 'the thread runs into a busy loop',
    states: all,
    inject: (stage) => breakThread(stage, 'busy'),
    expect: {
      recovery: 'same browser',
      says: /the session worker did not respond for \d+ s/,
      noticedMs: 10_000,
    },
  },
  {
    fault: 'the thread runs out of memory',
    states: all,
    inject: (stage) => breakThread(stage, 'memory'),
    expect: { recovery: 'same browser', says: /the session worker used more than \d+ MB/, noticedMs: 20_000 },
  },
  {
    fault: 'the thread throws while its page runs a busy loop',
    states: all,
    inject: async (stage) => {
      await stage.whatsApp.faults.hangNow();
      await breakThread(stage, 'throw');
    },
    expect: {
      recovery: 'new browser',
      says: /the session worker failed: thrown on purpose/,
      noticedMs: 3_000,
    },
  },
  {
    fault: 'the thread never answers a stop',
    states: all,
    inject: async (stage) => {
      await breakThread(stage, 'deaf');
      await stage.replica.post('/api/stop');
      await stage.until((s) => s.state === 'stopped', 'stopped in spite of it', 30_000);
      await stage.replica.post('/api/auth/start', { headers: { prefer: 'wait=0' } });
    },
    expect: { recovery: 'same owner', isEnded: true },
  },
];

// This program is not compiled: it is loaded from the source tree.
const preload = fileURLToPath(new URL('../../../test/support/programs/thread-fault.cjs', import.meta.url));
const triggerOf = (dir: string) => join(dir, 'thread-fault');

faultMatrix<SteadySession, ChromiumStage>(
  () =>
    ChromiumStage.open({
      environment: ({ dir }) => ({ THREAD_FAULT_FILE: triggerOf(dir) }),
      nodeArgs: ['--require', preload],
    }),
  rows,
);

/** Resolves when the thread has met the fault. */
async function breakThread({ base }: ChromiumStage, fault: ThreadFault): Promise<void> {
  const trigger = triggerOf(base.dir);
  replaceFile(trigger, fault);
  await eventually(() => !existsSync(trigger), { message: 'the thread breaks' });
}

type ThreadFault = 'throw' | 'exit' | 'reject' | 'busy' | 'memory' | 'deaf';
