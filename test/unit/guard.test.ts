import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Guard } from '../../src/supervisor/guard.js';
import { eventually } from '../support/eventually.js';
import { assertNothingLeft, scratchDir } from '../support/leftovers.js';
import { isAlive, membersOfGroup, processFacts, signalIfAlive } from '../support/processes.js';

const groups: number[] = [];

after(async () => {
  for (const group of groups) signalIfAlive(-group, 'SIGKILL');
  await assertNothingLeft();
});

/** A process group of two, in place of a browser and its helpers. */
async function startGroup(): Promise<number> {
  const child = spawn('sh', ['-c', 'sleep 600 & exec sleep 600'], { detached: true, stdio: 'ignore' });
  await once(child, 'spawn');
  const pid = child.pid as number;
  groups.push(pid);
  await eventually(() => membersOfGroup(pid).length === 2);
  return pid;
}

/** SIGHUP 1, SIGINT 2, SIGTERM 15, as bits from 0. */
const terminalSignals = (1 << 0) | (1 << 1) | (1 << 14);

function ignoredSignals(pid: number): number {
  const mask = /^SigIgn:\s+([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number.parseInt(mask ?? '0', 16);
}

const long = 60_000;
const fresh = () => 0;

test('silence kills the whole group, and the guard is gone with it', async () => {
  const group = await startGroup();
  const guard = new Guard(group, 200, fresh);
  const { pid = 0 } = guard;
  await eventually(() => membersOfGroup(group).length === 0);
  await eventually(() => !isAlive(pid));
});

test('it runs nothing of whoever owns the machine', async () => {
  const home = scratchDir();
  const ran = join(home, 'ran');
  writeFileSync(join(home, '.bashrc'), `touch ${ran}\n`);
  const { HOME, SHLVL } = process.env;
  process.env.HOME = home;
  // Without it bash looks whether a remote login has started it.
  delete process.env.SHLVL;
  try {
    const group = await startGroup();
    const guard = new Guard(group, 200, fresh);
    const { pid = 0 } = guard;
    await eventually(() => membersOfGroup(group).length === 0 && !isAlive(pid));
    assert.equal(existsSync(ran), false);
  } finally {
    process.env.HOME = HOME;
    if (SHLVL !== undefined) process.env.SHLVL = SHLVL;
  }
});

test('it leads a group of its own, and no signal of a terminal ends it', async () => {
  const group = await startGroup();
  const guard = new Guard(group, long, fresh);
  const { pid = 0 } = guard;
  await eventually(() => (ignoredSignals(pid) & terminalSignals) === terminalSignals);
  assert.equal(processFacts(pid)?.group, pid);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal);
  guard.beat();
  assert.equal(guard.pid, pid);
  guard.end();
  await eventually(() => !isAlive(pid));
  assert.equal(membersOfGroup(group).length, 2, 'ended, it kills nobody');
});

test('beats keep the group alive for longer than the silence that kills', async () => {
  // Of which a busy machine may take some before the guard reads a beat.
  const timeoutMs = 3_000;
  const group = await startGroup();
  const guard = new Guard(group, timeoutMs, fresh);
  const startedAt = performance.now();
  await eventually(
    () => {
      guard.beat();
      assert.equal(membersOfGroup(group).length, 2);
      return performance.now() - startedAt > 1.5 * timeoutMs;
    },
    { intervalMs: 50 },
  );
  await eventually(() => membersOfGroup(group).length === 0, { message: 'without them it dies' });
});

test('the silence before the guard was there counts', async () => {
  const group = await startGroup();
  new Guard(group, long, () => long - 200);
  await eventually(() => membersOfGroup(group).length === 0);
});

test('after the first beat the whole patience counts', async () => {
  const group = await startGroup();
  const guard = new Guard(group, long, () => long - 1_500);
  guard.beat();
  const other = await startGroup();
  new Guard(other, long, () => long - 2_500);
  await eventually(() => membersOfGroup(other).length === 0);
  assert.equal(membersOfGroup(group).length, 2);
  guard.end();
});

test('a guard that is killed is replaced while the browser lives', async () => {
  const group = await startGroup();
  const guard = new Guard(group, long, fresh);
  const first = guard.pid ?? 0;
  process.kill(first, 'SIGKILL');
  await eventually(() => guard.pid !== first && isAlive(guard.pid ?? 0));
  assert.equal(membersOfGroup(group).length, 2);
  guard.end();
});
