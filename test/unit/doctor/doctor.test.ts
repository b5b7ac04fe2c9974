import assert from 'node:assert/strict';
import { utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { redisNeedBytes } from '../../../src/contract/redis-needs.js';
import { sandboxVerdict } from '../../../src/doctor/browser-checks.js';
import { ok, runChecks } from '../../../src/doctor/check.js';
import { nodeVerdict } from '../../../src/doctor/machine-checks.js';
import { pageChecks } from '../../../src/doctor/page-checks.js';
import {
  clockVerdict,
  infoVerdicts,
  memoryVerdicts,
  quarantineVerdicts,
} from '../../../src/doctor/redis-checks.js';
import { StartPages } from '../../../src/session-worker/whatsapp/start-pages.js';
import { assertNothingLeft, scratchDir } from '../../support/leftovers.js';

after(assertNothingLeft);

const info = (fields: Record<string, string>) =>
  Object.entries({ redis_version: '7.0.15', maxmemory_policy: 'noeviction', aof_enabled: '1', ...fields })
    .map(([name, value]) => `${name}:${value}\r\n`)
    .join('');
const levels = (fields: Record<string, string>) => infoVerdicts(info(fields)).map(({ level }) => level);

test('a Redis that is new enough, evicts nothing and keeps its data is ok', () => {
  assert.deepEqual(levels({}), ['ok', 'ok']);
});

test('a Redis that the start would refuse fails with the same sentence', () => {
  assert.deepEqual(levels({ redis_version: '5.0.1' }), ['failure', 'ok']);
  assert.deepEqual(levels({ maxmemory_policy: 'allkeys-lru' }), ['failure', 'ok']);
  const [found] = infoVerdicts(info({ maxmemory_policy: 'allkeys-lru' }));
  assert.match(found?.message ?? '', /set maxmemory-policy noeviction/);
});

test('a Redis that may lose data is a warning, and one that cannot write a failure', () => {
  assert.deepEqual(levels({ aof_enabled: '0' }), ['ok', 'warning']);
  assert.deepEqual(levels({ aof_last_write_status: 'err' }), ['ok', 'failure']);
});

test('a clock may be up to 2 s wrong, up to a minute with a warning', () => {
  const found = [0, 1_900, -2_100, 61_000].map((ms) => clockVerdict(ms));
  assert.deepEqual(
    found.map(({ level }) => level),
    ['ok', 'ok', 'warning', 'failure'],
  );
  assert.match(found[2]?.message ?? '', /^the clock here is 2\.1 s behind that of Redis: let NTP set both$/);
});

test('an old Node is a failure, a browser without its sandbox a warning', () => {
  assert.deepEqual(
    ['20.18.0', '24.0.1', '20.17.9', '18.20.0'].map((version) => nodeVerdict(version).level),
    ['ok', 'ok', 'failure', 'failure'],
  );
  assert.equal(sandboxVerdict({ chromeArgs: [] }, false).level, 'ok');
  assert.equal(sandboxVerdict({ chromeArgs: [] }, true).level, 'warning');
  assert.equal(sandboxVerdict({ chromeArgs: ['--no-sandbox'] }, false).level, 'warning');
});

test('a check that throws is a failure, and the others still run', async () => {
  const findings = await runChecks([
    { name: 'one', run: () => Promise.reject(new Error('it is broken: mend it')) },
    { name: 'two', run: async () => [ok('fine'), ok('fine too')] },
  ]);
  assert.deepEqual(findings, [
    { check: 'one', level: 'failure', message: 'it is broken: mend it' },
    { check: 'two', level: 'ok', message: 'fine' },
    { check: 'two', level: 'ok', message: 'fine too' },
  ]);
});

test('a missing pinned version of the page is a failure, an old one a warning', async () => {
  const authDir = scratchDir();
  const dir = join(authDir, '.web-versions');
  const found = async (webVersion: string | null) => {
    const findings = await runChecks(pageChecks({ authDir, webVersion }));
    return findings.filter(({ check }) => check === 'page version');
  };
  const first = await found(null);
  assert.deepEqual(
    first.map(({ level }) => level),
    ['ok', 'ok'],
  );
  assert.match(first[1]?.message ?? '', /^no start page is saved yet/);
  await new StartPages(dir).keep('2.3000.1', '<title>one</title>');
  const [atHand, kept] = await found('2.3000.1');
  assert.deepEqual([atHand?.level, kept?.level], ['ok', 'ok']);
  assert.equal(atHand?.message, '2.3000.1 is pinned; its start page was saved 0 days ago');
  assert.match(kept?.message ?? '', /^saved, and can be pinned: 2\.3000\.1 \(\d{4}-\d\d-\d\d\)$/);
  const [missing] = await found('2.3000.2');
  assert.equal(missing?.level, 'failure');
  assert.match(
    missing?.message ?? '',
    /its start page .*2\.3000\.2\.html cannot be used \(it is not there\)/,
  );
  writeFileSync(join(dir, '2.3000.3.html'), '<title>by hand</title>');
  const days = (n: number) => new Date(Date.now() - n * 86_400_000);
  utimesSync(join(dir, '2.3000.3.html'), days(41), days(41));
  assert.equal((await found('2.3000.3'))[0]?.level, 'ok');
  utimesSync(join(dir, '2.3000.3.html'), days(50), days(50));
  const [old] = await found('2.3000.3');
  assert.equal(old?.level, 'warning');
  assert.match(old?.message ?? '', /saved 50 days ago: WhatsApp deletes the scripts/);
});

test('a Redis with less memory than may be needed is a warning with the remedy', () => {
  const found = (maxmemory: number, machine: number) =>
    memoryVerdicts(info({ maxmemory: String(maxmemory), total_system_memory: String(machine) }));
  const [enough, little] = [redisNeedBytes, redisNeedBytes - 1];
  assert.deepEqual(
    [found(enough, 1), found(0, enough), found(0, 0), found(little, enough), found(0, little)].map(
      (verdicts) => verdicts.map(({ level }) => level),
    ),
    [['ok'], ['ok'], [], ['warning'], ['warning']],
  );
  assert.match(
    found(little, enough)[0]?.message ?? '',
    /has \d+ MB by its maxmemory; .* needs .*: raise maxmemory/,
  );
  assert.match(found(0, little)[0]?.message ?? '', /of the machine .*: give that machine more/);
  assert.deepEqual(memoryVerdicts(''), []);
});

test('quarantined keys are counted, and none is no finding', () => {
  assert.deepEqual(quarantineVerdicts(0), []);
  assert.deepEqual(
    quarantineVerdicts(2).map(({ level }) => level),
    ['warning'],
  );
  assert.match(quarantineVerdicts(1)[0]?.message ?? '', /^1 unusable key is in quarantine/);
});
