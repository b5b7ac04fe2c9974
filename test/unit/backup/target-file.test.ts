import assert from 'node:assert/strict';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { resolveTarget } from '../../../src/backup/target-file.js';
import { OperatorError } from '../../../src/contract/errors.js';
import { assertNothingLeft, scratchDir } from '../../support/leftovers.js';

after(assertNothingLeft);

test('a backup creates a file or replaces one, also the one to which a link leads', async () => {
  const dir = scratchDir();
  const file = join(dir, 'backup.age');
  assert.equal(await resolveTarget(file), file);
  writeFileSync(file, 'older');
  symlinkSync('backup.age', join(dir, 'link'));
  assert.equal(await resolveTarget(file), file);
  assert.equal(await resolveTarget(join(dir, 'link')), file);
  assert.equal(await resolveTarget('-'), '-');
});

test('a directory, a device and a link to nothing are refused by name', async () => {
  const dir = scratchDir();
  symlinkSync('nothing', join(dir, 'link'));
  for (const [target, sentence] of [
    [dir, /^\S+ is a directory: name a file in it$/],
    ['/dev/null', /^\/dev\/null is not a file: name a file, or - for stdout$/],
    [join(dir, 'link'), /^\S+link is a link that leads to no file: name a file$/],
    [join(dir, 'gone', 'backup.age'), /^there is no directory \S+gone: create it, or name a file elsewhere$/],
  ] as const) {
    await assert.rejects(resolveTarget(target), (error) => {
      assert.ok(error instanceof OperatorError, String(error));
      assert.match(error.message, sentence);
      return true;
    });
  }
});
