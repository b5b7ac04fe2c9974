import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { signalGroup } from '../../../../src/platform/proc.js';
import { whileGroupFrozen } from '../../../../src/supervisor/browser/process-group.js';
import { eventually } from '../../../support/eventually.js';
import { assertNothingLeft } from '../../../support/leftovers.js';
import { processFacts } from '../../../support/processes.js';

const started: ChildProcess[] = [];

after(async () => {
  for (const { pid } of started) signalGroup(pid as number, 'SIGKILL');
  await assertNothingLeft();
});

/** A leader and a child that write without pause, and how much they wrote. */
async function busyGroup(): Promise<{ leader: number; child: number; written: () => number }> {
  const write = 'for (;;) require("node:fs").writeSync(1, ".")';
  const script = `const c = require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(write)}], { stdio: ["ignore", 1, 1] });
    process.stderr.write(c.pid + "\\n"); ${write}`;
  const group = spawn(process.execPath, ['-e', script], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(group);
  let count = 0;
  group.stdout.on('data', (chunk: Buffer) => {
    count += chunk.length;
  });
  const [said] = (await once(group.stderr, 'data')) as [Buffer];
  await eventually(() => count > 0);
  return { leader: group.pid as number, child: Number(said.toString()), written: () => count };
}

const stateOf = (pid: number) => processFacts(pid)?.state ?? 'gone';

test('every process of a group is frozen during the work and goes on after it', async () => {
  const { leader, child, written } = await busyGroup();
  const answer = await whileGroupFrozen(leader, async () => [stateOf(leader), stateOf(child)]);
  assert.deepEqual(answer, ['T', 'T']);
  const before = written();
  await eventually(() => written() > before + 1_000);
  assert.ok(![stateOf(leader), stateOf(child)].includes('T'));
});

test('a group goes on after failed work', async () => {
  const { leader, child } = await busyGroup();
  await assert.rejects(
    whileGroupFrozen(leader, async () => {
      throw new Error('the disk is full');
    }),
    /the disk is full/,
  );
  await eventually(() => ![stateOf(leader), stateOf(child)].includes('T'));
});

test('a frozen group can be killed', async () => {
  const { leader, child } = await busyGroup();
  await whileGroupFrozen(leader, async () => {
    signalGroup(leader, 'SIGKILL');
    await eventually(() =>
      [stateOf(leader), stateOf(child)].every((state) => state === 'gone' || state === 'Z'),
    );
  });
});

test('the work is done for a dead group too', async () => {
  assert.equal(await whileGroupFrozen(4_194_304, async () => 'done'), 'done');
});
