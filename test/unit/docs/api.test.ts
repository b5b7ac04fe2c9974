import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { httpStatusOf } from '../../../src/contract/errors.js';

test('docs/api.md has every error code, with its status', () => {
  const doc = readFileSync(join(resolve(import.meta.dirname, '../../../..'), 'docs/api.md'), 'utf8');
  const rows = [...doc.matchAll(/^\| `(\w+)` +\| (\d{3}) +\|/gm)].map(([, code, status]) => [
    code,
    Number(status),
  ]);
  assert.deepEqual(rows, Object.entries(httpStatusOf));
});
