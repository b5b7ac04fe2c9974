import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
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

test('the folder of a killed process is removed a day later; a profile and a backup under way stay', async () => {
  const authDir = scratchDir();
  const twoDaysAgo = Date.now() / 1_000 - 2 * 86_400;
  for (const name of ['.backup-killed', '.backup-under-way', 'session-default']) {
    mkdirSync(join(authDir, name));
    if (name !== '.backup-under-way') utimesSync(join(authDir, name), twoDaysAgo, twoDaysAgo);
  }
  await withWorkFolder(authDir, async () => undefined);
  assert.deepEqual(readdirSync(authDir).sort(), ['.backup-under-way', 'session-default']);
});
