import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sandboxVerdict } from '../../src/doctor/browser.js';
import { examine, ok } from '../../src/doctor/finding.js';
import { nodeVerdict } from '../../src/doctor/machine.js';
import { clockVerdict, infoVerdicts } from '../../src/doctor/redis.js';

const info = (fields: Record<string, string>) =>
  Object.entries({ redis_version: '7.0.15', maxmemory_policy: 'noeviction', aof_enabled: '1', ...fields })
    .map(([name, value]) => `${name}:${value}\r\n`)
    .join('');
const levels = (fields: Record<string, string>) => infoVerdicts(info(fields)).map(({ level }) => level);

test('a Redis that is new enough, evicts nothing and keeps its data is fine', () => {
  assert.deepEqual(levels({}), ['ok', 'ok']);
});

test('one that the start would refuse fails, by the same sentence', () => {
  assert.deepEqual(levels({ redis_version: '5.0.1' }), ['failure', 'ok']);
  assert.deepEqual(levels({ maxmemory_policy: 'allkeys-lru' }), ['failure', 'ok']);
  const [found] = infoVerdicts(info({ maxmemory_policy: 'allkeys-lru' }));
  assert.match(found?.message ?? '', /set maxmemory-policy noeviction/);
});

test('one that may lose data is a warning, one that cannot write a failure, one that may not be asked a warning', () => {
  assert.deepEqual(levels({ aof_enabled: '0' }), ['ok', 'warning']);
  assert.deepEqual(levels({ aof_last_write_status: 'err' }), ['ok', 'failure']);
  assert.deepEqual(
    infoVerdicts('').map(({ level }) => level),
    ['warning'],
  );
});

test('a clock may be a little wrong', () => {
  const found = [0, 1_900, -2_100, 61_000].map((ms) => clockVerdict(ms));
  assert.deepEqual(
    found.map(({ level }) => level),
    ['ok', 'ok', 'warning', 'failure'],
  );
  assert.match(found[2]?.message ?? '', /^the clock here is 2\.1 s behind that of Redis: let NTP set both$/);
});

test('a Node that is too old fails; a browser without its sandbox is a warning', () => {
  assert.deepEqual(
    ['20.18.0', '24.0.1', '20.17.9', '18.20.0'].map((version) => nodeVerdict(version).level),
    ['ok', 'ok', 'failure', 'failure'],
  );
  assert.equal(sandboxVerdict({ chromeArgs: [] }, false).level, 'ok');
  assert.equal(sandboxVerdict({ chromeArgs: [] }, true).level, 'warning');
  assert.equal(sandboxVerdict({ chromeArgs: ['--no-sandbox'] }, false).level, 'warning');
});

test('a check that throws is a failure line, and the others are there all the same', async () => {
  const findings = await examine([
    { name: 'one', run: () => Promise.reject(new Error('it is broken: mend it')) },
    { name: 'two', run: async () => [ok('fine'), ok('fine too')] },
  ]);
  assert.deepEqual(findings, [
    { check: 'one', level: 'failure', message: 'it is broken: mend it' },
    { check: 'two', level: 'ok', message: 'fine' },
    { check: 'two', level: 'ok', message: 'fine too' },
  ]);
});
