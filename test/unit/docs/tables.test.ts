import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { sections, withSection } from '../../docs/tables.js';

for (const { file, name, text } of sections) {
  test(`the table of ${name} in ${file} is up to date`, () => {
    const page = readFileSync(file, 'utf8');
    assert.equal(page, withSection(page, name, text), 'run npm run docs');
  });
}

test('a page without the marks of a section is refused', () => {
  assert.throws(() => withSection('# A page', 'operations', 'text'), /no section operations/);
});
