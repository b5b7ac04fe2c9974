import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { deferred } from '../../../src/platform/deadline.js';
import { ProcessWatchdog, requireWatchdog } from '../../../src/supervisor/process-watchdog.js';
import { eventually } from '../../support/eventually.js';
import { assertNothingLeft, scratchDir } from '../../support/leftovers.js';
import { isAlive, kill, membersOfGroup, processFacts } from '../../support/processes.js';

const groups: number[] = [];

after(async () => {
  for (const group of groups) kill(-group, 'SIGKILL');
  await assertNothingLeft();
});

/** A process group of two, like a browser and its helper. */
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

test('without beats the watchdog kills the whole group and ends', async () => {
  const group = await startGroup();
  const watchdog = new ProcessWatchdog('the browser', group, 200, fresh, assert.fail);
  const { pid = 0 } = watchdog;
  await eventually(() => membersOfGroup(group).length === 0);
  await eventually(() => !isAlive(pid));
});

test('it runs no startup file of the user', async () => {
  const home = scratchDir();
  const ran = join(home, 'ran');
  writeFileSync(join(home, '.bashrc'), `touch ${ran}\n`);
  writeFileSync(join(home, 'environment'), `touch ${ran}\n`);
  const { HOME, SHLVL } = process.env;
  process.env.HOME = home;
  process.env.BASH_ENV = join(home, 'environment');
  // Without SHLVL bash checks whether a remote login has started it.
  delete process.env.SHLVL;
  try {
    const group = await startGroup();
    const watchdog = new ProcessWatchdog('the browser', group, 200, fresh, assert.fail);
    const { pid = 0 } = watchdog;
    await eventually(() => membersOfGroup(group).length === 0 && !isAlive(pid));
    assert.equal(existsSync(ran), false);
  } finally {
    process.env.HOME = HOME;
    delete process.env.BASH_ENV;
    if (SHLVL !== undefined) process.env.SHLVL = SHLVL;
  }
});

test('it leads its own group, and terminal signals do not end it', async () => {
  const group = await startGroup();
  const watchdog = new ProcessWatchdog('the browser', group, long, fresh, assert.fail);
  const { pid = 0 } = watchdog;
  await eventually(() => (ignoredSignals(pid) & terminalSignals) === terminalSignals);
  assert.equal(processFacts(pid)?.group, pid);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal);
  watchdog.beat();
  assert.equal(watchdog.pid, pid);
  watchdog.end();
  await eventually(() => !isAlive(pid));
  assert.equal(membersOfGroup(group).length, 2, 'an ended watchdog does not kill the group');
});

test('beats keep the group alive beyond the timeout', async () => {
  // Long enough for a busy machine to deliver a beat.
  const timeoutMs = 3_000;
  const group = await startGroup();
  const watchdog = new ProcessWatchdog('the browser', group, timeoutMs, fresh, assert.fail);
  const startedAt = performance.now();
  await eventually(
    () => {
      watchdog.beat();
      assert.equal(membersOfGroup(group).length, 2);
      return performance.now() - startedAt > 1.5 * timeoutMs;
    },
    { intervalMs: 50 },
  );
  await eventually(() => membersOfGroup(group).length === 0, { message: 'without them it dies' });
});

test('the silence before its start counts', async () => {
  const group = await startGroup();
  new ProcessWatchdog('the browser', group, long, () => long - 200, assert.fail);
  await eventually(() => membersOfGroup(group).length === 0);
});

test('the whole timeout counts after the first beat', async () => {
  const group = await startGroup();
  const watchdog = new ProcessWatchdog('the browser', group, long, () => long - 1_500, assert.fail);
  watchdog.beat();
  const other = await startGroup();
  new ProcessWatchdog('the browser', other, long, () => long - 2_500, assert.fail);
  await eventually(() => membersOfGroup(other).length === 0);
  assert.equal(membersOfGroup(group).length, 2);
  watchdog.end();
});

test('a watchdog that is killed is replaced while the browser lives', async () => {
  const group = await startGroup();
  const watchdog = new ProcessWatchdog('the browser', group, long, fresh, assert.fail);
  const first = watchdog.pid ?? 0;
  process.kill(first, 'SIGKILL');
  await eventually(() => watchdog.pid !== first && isAlive(watchdog.pid ?? 0));
  assert.equal(membersOfGroup(group).length, 2);
  watchdog.end();
});

/** The PATH of a machine whose only program is a bash with `text` in it, or none. */
async function onPath(text: string | null, use: () => Promise<void>): Promise<void> {
  const dir = scratchDir();
  if (text !== null) writeFileSync(join(dir, 'bash'), text, { mode: 0o755 });
  const { PATH } = process.env;
  process.env.PATH = dir;
  try {
    await use();
  } finally {
    process.env.PATH = PATH;
  }
}

/** Like the bash 3.2 of macOS: whole seconds only. */
const oldBash = `#!/bin/bash
read() { case "$*" in *.*) return 1 ;; esac; builtin read "$@"; }
script="$(declare -f read)
$4"
exec /bin/bash "\${@:1:3}" "$script" "\${@:5}"
`;

test('with a bash that takes no fractions of a second it kills early rather than late', async () => {
  const [group, silent, old] = [await startGroup(), await startGroup(), await startGroup()];
  await onPath(oldBash, async () => {
    await requireWatchdog();
    const watchdog = new ProcessWatchdog('the browser', group, long + 500, () => 400, assert.fail);
    watchdog.beat();
    new ProcessWatchdog('the browser', silent, 1_900, fresh, assert.fail);
    new ProcessWatchdog('the browser', old, long, () => long - 900, assert.fail);
    await eventually(() => [silent, old].every((each) => membersOfGroup(each).length === 0));
    assert.equal(membersOfGroup(group).length, 2);
    watchdog.end();
  });
});

test('a missing bash is an error at the start and of each watchdog', async () => {
  const group = await startGroup();
  await onPath(null, async () => {
    const sentence =
      /^the watchdog of the browser cannot run: there is no bash on the PATH: install it \(apt-get install bash\)$/;
    await assert.rejects(requireWatchdog(), { name: 'OperatorError', message: sentence });
    const why = await new Promise<string>(
      (resolve) => new ProcessWatchdog('the browser', group, long, fresh, resolve),
    );
    assert.match(why, sentence);
  });
});

test('a watchdog that ends without a kill reports why', async () => {
  const group = await startGroup();
  await onPath('#!/bin/bash\nexit 3\n', async () => {
    const why = await new Promise<string>(
      (resolve) => new ProcessWatchdog('the HTTP process', group, long, fresh, resolve),
    );
    assert.match(why, /^the watchdog of the HTTP process cannot run: .*exit code 3$/);
  });
});

test('a watchdog that cannot be replaced reports why', async () => {
  const group = await startGroup();
  const failure = deferred<string>();
  const watchdog = new ProcessWatchdog('the browser', group, long, fresh, failure.resolve);
  await onPath(null, async () => {
    process.kill(watchdog.pid ?? 0, 'SIGKILL');
    assert.match(await failure.promise, /no bash/);
  });
});
