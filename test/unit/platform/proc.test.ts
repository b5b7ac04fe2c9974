import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  isRunning,
  listGroup,
  readCommandLine,
  readProcessMemory,
  readProcessStat,
  readWorkingDirectory,
  signalGroup,
  signalProcess,
} from '../../../src/platform/proc.js';
import { eventually } from '../../support/eventually.js';
import { assertNothingLeft } from '../../support/leftovers.js';

const scratch = await mkdtemp(join(tmpdir(), 'holdline-test-'));
const confusingName = 'a) Z 1 (b';
const absentPid = 4_194_305;

after(async () => {
  await rm(scratch, { recursive: true });
  await assertNothingLeft();
});

/** A process that leads a group and has a name that looks like fields of /proc/PID/stat. */
async function startConfusinglyNamed(): Promise<{ pid: number; exited: Promise<unknown> }> {
  const program = join(scratch, confusingName);
  await copyFile('/bin/sleep', program);
  const child = spawn(program, ['60'], { cwd: scratch, detached: true, stdio: 'ignore' });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const pid = child.pid as number;
  await eventually(async () => (await readProcessStat(pid))?.name === confusingName);
  return { pid, exited };
}

test('name, state, group, arguments and directory of a process with any name are read', async () => {
  const { pid, exited } = await startConfusinglyNamed();
  await eventually(async () => (await readProcessStat(pid))?.state === 'S');
  assert.deepEqual(await readProcessStat(pid), { name: confusingName, state: 'S', groupId: pid });
  assert.deepEqual(await listGroup(pid), [pid]);
  assert.deepEqual((await readCommandLine(pid))?.slice(0, 2), [join(scratch, confusingName), '60']);
  assert.equal(await readWorkingDirectory(pid), scratch);
  assert.ok((await readProcessMemory(pid)).rssBytes > 0);
  assert.equal(await isRunning(pid), true);
  assert.equal(signalGroup(pid, 'SIGKILL'), true);
  await exited;
});

test('a dead process has no facts, and no signal reaches it', async () => {
  const { pid, exited } = await startConfusinglyNamed();
  assert.equal(signalProcess(pid, 'SIGKILL'), true);
  await exited;
  for (const gone of [pid, absentPid]) {
    assert.equal(await isRunning(gone), false);
    assert.equal(await readProcessStat(gone), null);
    assert.equal(await readCommandLine(gone), null);
    assert.equal(await readWorkingDirectory(gone), null);
    assert.deepEqual(await listGroup(gone), []);
    assert.deepEqual(await readProcessMemory(gone), { pssBytes: 0, rssBytes: 0 });
    assert.equal(signalProcess(gone, 'SIGTERM'), false);
    assert.equal(signalGroup(gone, 'SIGTERM'), false);
  }
});
