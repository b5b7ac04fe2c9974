import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';

/** The threats of docs/security.md name the files that test them. */
const root = resolve(import.meta.dirname, '../../../..');
const doc = readFileSync(join(root, 'docs/security.md'), 'utf8');
const section = doc.split('## Threats')[1]?.split(/^## /m)[0] ?? '';
const cells = section
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (---|who +\|)/.test(line))
  .map((line) => line.split('|').at(-2)?.trim() ?? '');

test('every threat names a test file, or says why there is none', () => {
  assert.ok(cells.length > 10);
  for (const cell of cells) {
    assert.match(cell, /^(`(unit|integration|faults|e2e|chaos)\/[\w/-]+`(, |$))+$|^none: ./);
  }
});

test('every test file that the table names exists', () => {
  const named = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, file]) => file));
  assert.ok(named.length > 20);
  for (const file of named) assert.ok(existsSync(join(root, `test/${file}.test.ts`)), `test/${file}.test.ts`);
});
