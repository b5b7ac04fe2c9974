import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';

const registry = 'https://registry.npmjs.org/';

interface LockedPackage {
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: true;
}

/** Without a digest `npm ci` installs whatever the registry serves under that name and version. */
it('package-lock.json has a digest and the public registry for each package', () => {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
    packages: Record<string, LockedPackage>;
  };
  const installed = Object.entries(packages).filter(([path, { link }]) => path !== '' && !link);
  assert.ok(installed.length > 100);
  const without = installed.filter(([, { integrity }]) => !integrity?.startsWith('sha512-'));
  assert.deepEqual(without, []);
  const elsewhere = installed.filter(([, { resolved = registry }]) => !resolved.startsWith(registry));
  assert.deepEqual(elsewhere, []);
});
