import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { redisMaxMemoryBytes } from '../../../src/contract/redis-needs.js';
import { timingSchema } from '../../../src/contract/timing.js';
import { roomByMemory, sessionsMax } from '../../../src/platform/config/session-room.js';

/** The files for operators agree with the product. */
const read = (file: string) => readFileSync(resolve(import.meta.dirname, '../../../..', file), 'utf8');

test('systemd and Docker wait longer than a shutdown may take', () => {
  const seconds = (file: string, setting: RegExp) => Number(setting.exec(read(file))?.[1]);
  const shutdownS = timingSchema.parse({}).shutdownMs / 1000;
  assert.ok(seconds('deploy/holdline.service', /^TimeoutStopSec=(\d+)$/m) > shutdownS);
  for (const file of ['docker-compose.yml', 'docker-compose.supervisor.yml'])
    assert.ok(seconds(file, /^x-holdline:[\s\S]*?stop_grace_period: (\d+)s$/m) > shutdownS);
});

test('systemd and Docker allow the threads of as many sessions as a supervisor runs', () => {
  const perSession = Number(/^\| processes, threads \| 12, (\d+) /m.exec(read('docs/scaling.md'))?.[1]);
  const allowed = (file: string, setting: RegExp) => Number(setting.exec(read(file))?.[1]);
  const needed = sessionsMax * perSession;
  assert.ok(allowed('deploy/holdline.service', /^TasksMax=(\d+)$/m) >= needed);
  for (const file of ['docker-compose.yml', 'docker-compose.supervisor.yml'])
    assert.ok(allowed(file, /^ +pids_limit: (\d+)$/m) >= needed);
});

test('the memory of supervisors in the compose files and in the walk-through has room for as many sessions as is said', () => {
  const GiB = 1_024 ** 3;
  const room = (gib: number) => roomByMemory(64 * GiB, gib * GiB, 'chromium').sessions;
  const guide = read('docs/deployment.md');
  for (const file of ['docker-compose.yml', 'docker-compose.supervisor.yml']) {
    const limit = Number(/^ +mem_limit: \$\{HOLDLINE_SUPERVISOR_MEMORY:-(\d+)g\}$/m.exec(read(file))?.[1]);
    assert.equal(room(limit), 2, file);
    assert.ok(guide.includes(`two sessions in ${limit} GiB`));
  }
  const given = [...guide.matchAll(/^ +HOLDLINE_SUPERVISOR_MEMORY=(\d+)g$/gm)].map(([, gib]) =>
    room(Number(gib)),
  );
  assert.deepEqual(given, [5, 10], 'each of the two on A, and the one on B');
});

test('every setting in .env.example reaches the containers, or is fixed in the image', () => {
  const known = [...read('.env.example').matchAll(/^#(WHATSAPP_\w+)=/gm)].map(([, name]) => name ?? '');
  const passed = new Set(
    [...read('docker-compose.yml').matchAll(/^ +(WHATSAPP_\w+):/gm)].map(([, name]) => name),
  );
  const fixed = [
    'MCP_HOST',
    'MCP_PORT',
    'AUTH_DIR',
    'DATA_DIR',
    'BROWSER',
    'CHROME_EXECUTABLE',
    'HEADLESS',
    'INSTALL',
    'PROBE_PORT',
  ];
  // A longer grace needs a longer stop_grace_period, which cannot follow the variable.
  const left = new Set([...fixed, 'STOP_GRACE_S'].map((name) => `WHATSAPP_${name}`));
  assert.deepEqual(
    known.filter((name) => !passed.has(name) && !left.has(name)),
    [],
  );
  assert.deepEqual(
    [...passed].filter((name) => !known.includes(name ?? '')),
    [],
  );
});

test('a supervisor of a further machine is set up as those of the first', () => {
  const supervisorOf = (file: string) => /^x-supervisor:[\s\S]*?(?=^services:)/m.exec(read(file))?.[0];
  assert.equal(supervisorOf('docker-compose.supervisor.yml'), supervisorOf('docker-compose.yml'));
  const blockOf = (file: string) => /^x-holdline: &holdline\n((?: {2}.*\n)+)/m.exec(read(file))?.[1] ?? '';
  const lines = blockOf('docker-compose.supervisor.yml').split('\n');
  assert.ok(lines.length > 5);
  // Redis and its network are on the first machine.
  assert.deepEqual(
    blockOf('docker-compose.yml')
      .split('\n')
      .filter((line) => !lines.includes(line)),
    ['  networks: [inside]', '  depends_on:', '    redis: { condition: service_healthy }'],
  );
});

test('the Redis of the compose file has the needed memory, evicts nothing, and its container has more', () => {
  const [, redis = ''] = /^ {2}redis:\n([\s\S]*?)\n\n/m.exec(read('docker-compose.yml')) ?? [];
  const mb = (setting: RegExp) => Number(setting.exec(redis)?.[1]) * 1_048_576;
  const maxMemory = mb(/^ +maxmemory (\d+)mb$/m);
  assert.equal(maxMemory, redisMaxMemoryBytes);
  assert.ok(mb(/^ +mem_limit: (\d+)m$/m) >= 1.5 * maxMemory);
  assert.match(redis, /^ +maxmemory-policy noeviction$/m);
});
