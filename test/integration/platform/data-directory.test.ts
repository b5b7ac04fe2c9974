import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { OperatorError } from '../../../src/contract/errors.js';
import { DataDirectoryInUseError, lockDataDirectory } from '../../../src/platform/data-directory.js';

const scratch = await mkdtemp(join(tmpdir(), 'holdline-test-'));
const children: ChildProcess[] = [];

after(async () => {
  for (const child of children) child.kill('SIGKILL');
  await rm(scratch, { recursive: true, force: true });
});

test('only the owner can enter the data directory', async () => {
  const directory = join(scratch, 'private', 'data');
  const lock = await lockDataDirectory(directory);
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
  await lock.release();
});

test('a second product on the same directory is refused with the pid of the first', async () => {
  const directory = join(scratch, 'shared');
  const owner = await holdInAnotherProcess(directory);
  await assert.rejects(lockDataDirectory(directory), (error: unknown) => {
    assert.ok(error instanceof DataDirectoryInUseError && error instanceof OperatorError);
    assert.equal(
      error.message,
      `another Holdline (pid ${owner.pid}) is running on ${directory}: stop it first, or give this one its own WHATSAPP_DATA_DIR`,
    );
    return true;
  });
});

test('a second lock in the same process is refused too', async () => {
  const directory = join(scratch, 'same-process');
  const lock = await lockDataDirectory(directory);
  await assert.rejects(lockDataDirectory(directory), DataDirectoryInUseError);
  await lock.release();
});

test('the directory is free as soon as its owner is killed with SIGKILL', async () => {
  const directory = join(scratch, 'killed');
  const owner = await holdInAnotherProcess(directory);
  await assert.rejects(lockDataDirectory(directory), DataDirectoryInUseError);
  const exit = once(owner, 'exit');
  owner.kill('SIGKILL');
  await exit;
  const lock = await lockDataDirectory(directory);
  assert.match(await readFile(join(directory, 'holdline.lock'), 'utf8'), new RegExp(`^${process.pid} `));
  await lock.release();
});

test('a released directory can be locked again, and a second release has no effect', async () => {
  const directory = join(scratch, 'released');
  const first = await lockDataDirectory(directory);
  await first.release();
  const second = await lockDataDirectory(directory);
  await first.release();
  await assert.rejects(lockDataDirectory(directory), DataDirectoryInUseError);
  await second.release();
});

test('a program that the owner started does not keep the lock', async () => {
  const directory = join(scratch, 'inherited');
  const lock = await lockDataDirectory(directory);
  const child = spawn('sleep', ['60']);
  children.push(child);
  await once(child, 'spawn');
  await lock.release();
  await (await lockDataDirectory(directory)).release();
});

test('exactly one of many concurrent starts gets the directory', async () => {
  const directory = join(scratch, 'race');
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => lockDataDirectory(directory)));
  const winners = outcomes.filter((outcome) => outcome.status === 'fulfilled');
  assert.equal(winners.length, 1);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') assert.ok(outcome.reason instanceof DataDirectoryInUseError);
  }
  await winners[0]?.value.release();
});

test('a directory that cannot be created is an OperatorError', async () => {
  const file = join(scratch, 'a-file');
  await writeFile(file, '');
  await assert.rejects(lockDataDirectory(join(file, 'data')), (error: unknown) => {
    assert.ok(error instanceof OperatorError);
    assert.match(error.message, /cannot be used .*WHATSAPP_DATA_DIR/);
    return true;
  });
});

async function holdInAnotherProcess(directory: string): Promise<ChildProcess> {
  const program = fileURLToPath(new URL('../fixtures/hold-data-directory.js', import.meta.url));
  const child = spawn(process.execPath, [program, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await once(child.stdout, 'data');
  return child;
}
