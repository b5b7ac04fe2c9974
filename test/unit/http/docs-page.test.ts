import assert from 'node:assert/strict';
import { it } from 'node:test';
import { docsAssets } from '../../../src/http/docs-page.js';

it('a file of /docs is read once and is the same buffer for every request', async () => {
  for (const asset of docsAssets) {
    const [first, second] = await Promise.all([asset.read(), asset.read()]);
    assert.ok(first.length > 100, asset.name);
    assert.equal(first, second, asset.name);
    assert.equal(first, await asset.read(), asset.name);
  }
});
