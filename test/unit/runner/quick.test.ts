import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { longestFirst, mostlyWaiting } from '../../runner/order.js';
import { isQuick, namesLeftOut } from '../../runner/quick.js';

const root = resolve(import.meta.dirname, '../../../..');

for (const [list, names] of Object.entries({
  'left out of the quick run': namesLeftOut,
  'longest first': longestFirst,
  'mostly waiting': mostlyWaiting,
})) {
  test(`every file of the list "${list}" exists and is listed once`, () => {
    assert.deepEqual(
      names.filter((name) => !existsSync(resolve(root, name))),
      [],
    );
    assert.equal(new Set(names).size, names.length);
  });
}

test('a new file in unit or integration is quick, one in faults or e2e is not', () => {
  assert.equal(isQuick('test/unit/new.test.ts'), true);
  assert.equal(isQuick('test/integration/new.test.ts'), true);
  assert.equal(isQuick('test/faults/new.test.ts'), false);
  assert.equal(isQuick('test/e2e/new.test.ts'), false);
  for (const name of namesLeftOut) assert.equal(isQuick(name), false, name);
});
