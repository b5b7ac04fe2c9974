import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sessionRecordSchema, unconfigured, withChanges } from '../../../src/contract/session-record.js';

test('an entry of an earlier version has the usual configuration', () => {
  assert.deepEqual(sessionRecordSchema.parse({}), unconfigured);
});

test('a field that cannot be read is as usual, except a proxy: without it the session must not run', () => {
  const read = sessionRecordSchema.parse({
    metadata: 7,
    ignore: { groups: true, stories: 'no' },
    proxy: { host: 'x' },
  });
  assert.deepEqual(read, {
    ...unconfigured,
    ignore: { stories: true, channels: true, groups: true },
    proxy: { server: '', login: null },
  });
});

test('only the fields that are given change', () => {
  const proxy = { server: 'http://proxy.lan:3128', login: null };
  const configured = withChanges(unconfigured, { metadata: { a: 'b' }, ignore: { groups: true }, proxy });
  assert.deepEqual(withChanges(configured, {}), { ...configured, revision: 2 });
  assert.deepEqual(withChanges(configured, { ignore: { stories: false } }).ignore, {
    ...{ stories: false, channels: true, groups: true },
  });
  assert.equal(withChanges(configured, { proxy: null }).proxy, null);
});
