import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ChromiumStage } from '../support/chromium-stage.js';
import { eventually } from '../support/eventually.js';
import { watchLease } from '../support/lease-watch.js';
import { faultMatrix } from '../support/matrix/fault-matrix.js';
import type { FaultRow, HeldState, SteadySession } from '../support/matrix/fault-row.js';
import { childrenOf, isAlive, kill } from '../support/processes.js';
import { replaceFile } from '../support/replace-file.js';

/** Class 6: faults of the HTTP process of a supervisor. The session must not notice. */
const all: readonly [HeldState, ...HeldState[]] = ['ready', 'authenticated', 'qr', 'starting'];

/** In these states the session goes on to `ready` as soon as WhatsApp lets it. */
const unnoticed = {
  expect: { recovery: 'undisturbed' },
  expectIn: { authenticated: { recovery: 'same thread' }, starting: { recovery: 'same thread' } },
} as const;

const rows: readonly FaultRow<ChromiumStage>[] = [
  {
    fault: 'HTTP is killed',
    states: all,
    inject: (stage) => breakHttp(stage, (pid) => kill(pid, 'SIGKILL'), /"reason":"signal SIGKILL"/),
    ...unnoticed,
  },
  {
    fault: "HTTP's event loop is blocked for 30 s",
    states: all,
    inject: (stage) => breakHttp(stage, () => trigger(stage, 'block'), /"reason":"it did not respond for/),
    ...unnoticed,
  },
  {
    fault: 'HTTP is frozen',
    states: all,
    inject: (stage) => breakHttp(stage, (pid) => kill(pid, 'SIGSTOP'), /"reason":"it did not respond for/),
    ...unnoticed,
  },
  {
    fault: 'HTTP runs out of memory',
    states: all,
    inject: (stage) => breakHttp(stage, () => trigger(stage, 'memory'), /heap out of memory/),
    ...unnoticed,
  },
  {
    fault: 'HTTP throws an uncaught error',
    states: all,
    inject: (stage) => breakHttp(stage, () => trigger(stage, 'throw'), /thrown on purpose/),
    ...unnoticed,
  },
];

// This program is not compiled: it is loaded from the source tree.
const preload = fileURLToPath(new URL('../../../test/support/programs/http-fault.cjs', import.meta.url));
const triggerOf = (dir: string) => join(dir, 'http-fault');

faultMatrix<SteadySession, ChromiumStage>(
  () =>
    ChromiumStage.open({
      role: 'all',
      timing: { httpHungMs: 5_000 },
      environment: ({ dir }) => ({ HTTP_FAULT_FILE: triggerOf(dir) }),
      nodeArgs: ['--require', preload],
    }),
  rows,
);

/** Breaks the HTTP process and waits until the next one answers at the same address. Asserts that the lease was never late. */
async function breakHttp(
  stage: ChromiumStage,
  harm: (pid: number) => void | Promise<void>,
  said: RegExp,
): Promise<void> {
  const { supervisor } = stage;
  const pid = httpPid(stage);
  const url = await supervisor.url();
  const saidBefore = supervisor.output.length;
  const lease = watchLease(stage.redis.url);
  await harm(pid);
  await eventually(() => !isAlive(pid), { timeoutMs: 30_000, message: 'the broken process is gone' });
  await eventually(async () => (await fetch(`${url}/api/status`).catch(() => null))?.ok, {
    timeoutMs: 30_000,
    message: 'HTTP answers again at the same address',
  });
  const { oldestMs, renewIntervalMs } = await lease.stop();
  // A skipped renewal would show as twice the interval.
  assert.ok(oldestMs < 2 * renewIntervalMs, `the lease was ${oldestMs} ms old`);
  assert.match(supervisor.output.slice(saidBefore), said);
}

async function trigger({ base }: ChromiumStage, fault: 'block' | 'memory' | 'throw'): Promise<void> {
  const file = triggerOf(base.dir);
  replaceFile(file, fault);
  await eventually(() => !existsSync(file), { message: 'HTTP meets the fault' });
}

function httpPid({ supervisor }: ChromiumStage): number {
  const isHttp = ({ commandLine }: { commandLine: readonly string[] }) =>
    commandLine.some((word) => word.endsWith('/http/main.js'));
  const [child, ...more] = childrenOf(supervisor.pid).filter(isHttp);
  assert.deepEqual([child !== undefined, more], [true, []], 'one process serves HTTP');
  return child?.pid ?? 0;
}
