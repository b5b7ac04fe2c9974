import assert from 'node:assert/strict';
import { it } from 'node:test';
import { scripts, stylesheets } from '../../../../src/http/docs/assets.js';

it('a file of /docs is the same bytes for whoever asks, read once', async () => {
  for (const asset of [...stylesheets, ...scripts]) {
    const [first, second] = await Promise.all([asset.read(), asset.read()]);
    assert.ok(first.length > 100, asset.name);
    assert.equal(first, second, asset.name);
    assert.equal(first, await asset.read(), asset.name);
  }
});
