import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';

/** docs/failure-modes.md names a test file for each fault: the files exist, and no fault test is left out. */
const root = resolve(import.meta.dirname, '../../../..');
const doc = readFileSync(join(root, 'docs/failure-modes.md'), 'utf8');
const rows = doc.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| ---'));
const named = [...doc.matchAll(/`((?:unit|integration|faults|e2e|chaos)\/[\w/-]+)`/g)].map(
  ([, file]) => file,
);

test('every test file that the table names exists', () => {
  assert.ok(named.length > 20);
  for (const file of named) assert.ok(existsSync(join(root, `test/${file}.test.ts`)), `test/${file}.test.ts`);
});

test('every row of a fault names a test file', () => {
  const faults = rows.filter((line) => line.split('|').length === 7 && !/^\| fault +\|/.test(line));
  assert.ok(faults.length > 30);
  for (const line of faults) assert.match(line, /`(unit|integration|faults|e2e|chaos)\/[\w/-]+` +\|$/);
});

test('the table names every file of fault tests', () => {
  const files = readdirSync(join(root, 'test/faults')).filter((name) => name.endsWith('.test.ts'));
  for (const file of files) assert.ok(named.includes(`faults/${file.replace('.test.ts', '')}`), file);
});
