import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { withWorkFolder } from '../../../src/backup/work-folder.js';
import { assertNothingLeft, scratchDir } from '../../support/leftovers.js';

after(assertNothingLeft);

test('the folder is for its owner only, and is removed with its content, also after a failure', async () => {
  const authDir = join(scratchDir(), 'auth');
  const work = async (dir: string) => {
    assert.equal(statSync(dir).mode & 0o777, 0o700);
    mkdirSync(join(dir, 'login'));
    writeFileSync(join(dir, 'login', 'file'), 'secret');
    throw new Error('the disk is full');
  };
  await assert.rejects(withWorkFolder(authDir, work), /the disk is full/);
  assert.deepEqual(readdirSync(authDir), []);
  assert.equal(await withWorkFolder(authDir, async () => 'done'), 'done');
});

test('the folder of a dead process is removed, of another host a day later; all others stay', async () => {
  const authDir = scratchDir();
  const dead = spawnSync('true').pid;
  const twoDaysAgo = Date.now() / 1_000 - 2 * 86_400;
  const gone = [`.backup-${hostname()}-${dead}-0123abcd`, `.backup-another-host-${dead}-00000000`];
  const kept = [
    `.backup-${hostname()}-${process.pid}-0123abcd`,
    `.backup-another-host-${dead}-0123abcd`,
    'session-default',
  ];
  for (const name of [...gone, ...kept]) mkdirSync(join(authDir, name));
  for (const name of [gone[1], kept[0], kept[2]])
    utimesSync(join(authDir, name ?? ''), twoDaysAgo, twoDaysAgo);
  await withWorkFolder(authDir, async () => undefined);
  assert.deepEqual(readdirSync(authDir).sort(), kept.sort());
});
