import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { after, test } from 'node:test';
import { sessionKeys } from '../../../../src/contract/keys.js';
import { defaultSession } from '../../../../src/contract/names.js';
import { sessionStates } from '../../../../src/contract/status.js';
import { eventually } from '../../../support/eventually.js';
import { type Replica, startReplica } from '../../../support/http-replica.js';
import { assertNothingLeft } from '../../../support/leftovers.js';
import { type MetricsText, parseMetrics, scrape } from '../../../support/metrics.js';
import { startRedis } from '../../../support/redis-server.js';
import { SupervisedSession } from '../../../support/supervised-session.js';

const redis = await startRedis();
const supervised = new SupervisedSession(redis, {
  session: defaultSession,
  environment: { WHATSAPP_MAX_SESSIONS: '4' },
});
const supervisor = await supervised.run('ready', 'ready');
// As in the role all, where HTTP is a child process.
supervisor.metrics.followHttp({ restarts: 0 });
const replica = await startReplica(redis.url, {
  timing: { heartbeatTtlMs: 1_200, heartbeatIntervalMs: 400 },
});
await supervised.observer.until(({ ready }) => ready, 'ready');

after(async () => {
  await replica.close();
  await supervised.close();
  await redis.stop();
  await assertNothingLeft();
});

const render = async (from: Replica) => (await from.get('/metrics')).text();
const ofSupervisor = () => scrape(() => supervisor.metrics.page.render());
const ofReplica = (from = replica) => scrape(() => render(from));

/** The metric families that these sections of the documentation list. */
function documented(...sections: string[]): Map<string, string> {
  const text = readFileSync(resolve(import.meta.dirname, '../../../../../docs/metrics.md'), 'utf8');
  const parts = text.split(/^## /m).filter((part) => sections.some((section) => part.startsWith(section)));
  const rows = [...parts.join('\n').matchAll(/^\| `(holdline_\w+)` +\| (\w+) +\| ([^|]*)\|/gm)];
  return new Map(
    rows.map(([, name = '', type, labels = '']) => [
      name,
      `${type} ${labels.replaceAll('`', '').trim()}`.trim(),
    ]),
  );
}

/** The served families in the same form; labels only where there is a series. */
function served({ types, series }: MetricsText): Map<string, string> {
  const own = [...types].filter(([name]) => name.startsWith('holdline_') && name !== 'holdline_info');
  return new Map(
    own.map(([name, type]) => {
      const one = series.find(
        (each) => each.name.replace(/_(bucket|sum|count)$/, '') === name || each.name === name,
      );
      const labels = Object.keys(one?.labels ?? {}).filter((label) => label !== 'le');
      return [name, `${type} ${labels.join(', ')}`.trim()];
    }),
  );
}

test('the served metrics and the documentation agree on names, types and labels', async () => {
  await replica.get('/api/status');
  await replica.get('/api/chats?limit=1', { headers: { prefer: 'wait=20' } });
  for (const pid of supervised.scripted.browsersAlive()) process.kill(pid, 'SIGKILL');
  await eventually(
    async () => {
      const page = await ofSupervisor();
      return page.value('holdline_recovery_duration_seconds_count', { reason: 'browser_died' }) === 1;
    },
    { timeoutMs: 60_000 },
  );

  const shared = 'State in Redis';
  // These have no series now: there is no code, no snapshot without a key, and no page of a scripted thread.
  const absent = new Map([
    ...['qr_age_seconds', 'snapshot_age_seconds', 'snapshot_size_bytes'].map(
      (name) => [`holdline_session_${name}`, 'gauge session'] as const,
    ),
    ['holdline_page_capability', 'gauge session, capability'],
    ['holdline_page_info', 'gauge session, version'],
    ['holdline_page_repair', 'gauge session, repair'],
  ]);
  for (const [scraped, own] of [
    [ofSupervisor, 'Counted by a supervisor'],
    [ofReplica, 'Counted by a replica'],
  ] as const) {
    await eventually(async () => {
      assert.deepEqual(new Map([...served(await scraped()), ...absent]), documented(shared, own));
      return true;
    });
  }
});

test('supervisor and replica agree on the session, the supervisors and Redis', async () => {
  for (const scraped of [ofSupervisor, ofReplica]) {
    await eventually(async () => {
      const page = await scraped();
      const states = sessionStates.map((state) =>
        page.value('holdline_session_state', { session: 'default', state }),
      );
      assert.deepEqual(
        states,
        sessionStates.map((state) => (state === 'ready' ? 1 : 0)),
      );
      const { status } = await supervised.observer.read();
      assert.equal(page.value('holdline_session_epoch'), status?.epoch);
      assert.equal(page.value('holdline_session_incarnation'), status?.incarnation);
      assert.equal(page.value('holdline_session_owned'), 1);
      assert.ok((page.value('holdline_session_heartbeat_age_seconds') ?? 99) < 2);
      assert.equal(page.value('holdline_session_qr_age_seconds'), undefined);
      assert.equal(page.value('holdline_session_backup_ok'), 0, 'no key, no backup');
      assert.equal(page.value('holdline_session_snapshot_age_seconds'), undefined);
      assert.equal(page.value('holdline_supervisors'), 1);
      assert.equal(page.value('holdline_supervisors_with_room'), 1);
      assert.equal(page.value('holdline_supervisors_sessions'), 1);
      assert.equal(page.value('holdline_supervisors_room'), 3);
      assert.equal(page.value('holdline_redis_up'), 1);
      assert.ok((page.value('holdline_redis_ping_seconds') ?? 99) < 10);
      assert.equal(page.value('holdline_commands_queued', { queue: 'sends', status: 'waiting' }), 0);
      assert.ok((page.value('process_resident_memory_bytes') ?? 0) > 1e7);
      return true;
    });
  }
});

test('a replica serves age and size of the newest backup', async () => {
  const { redis: connection, session } = supervised.observer;
  const { backupStatus, backupSummary } = sessionKeys(session);
  const taken_at = new Date(Date.now() - 90_000).toISOString();
  await connection.set(backupSummary, JSON.stringify({ taken_at, bytes: 4_096 }));
  await connection.set(backupStatus, JSON.stringify({ enabled: true, reason: null }));
  const page = await ofReplica();
  assert.equal(page.value('holdline_session_backup_ok'), 1);
  assert.equal(page.value('holdline_session_snapshot_size_bytes'), 4_096);
  const age = page.value('holdline_session_snapshot_age_seconds') ?? 0;
  assert.ok(age >= 89 && age < 120, String(age));
});

test('a supervisor counts the restarts and commands of its session, and measures its browser', async () => {
  const page = await ofSupervisor();
  assert.equal(page.value('holdline_session_incarnations_total'), 2);
  assert.equal(page.value('holdline_session_restarts_total', { reason: 'browser_died' }), 1);
  assert.equal(page.value('holdline_session_restarts_total', { reason: 'page_hung' }), 0);
  assert.equal(page.value('holdline_start_duration_seconds_count', { reached: 'ready' }), 2);
  const commands = page.series.filter(({ name }) => name === 'holdline_commands_total');
  assert.deepEqual(
    commands.map(({ labels, value }) => [labels.operation, labels.outcome, value]),
    [
      ['send', 'sent', 0],
      ['send', 'failed', 0],
      ['send', 'unknown', 0],
      ['chats', 'ok', 1],
    ],
  );
  assert.equal(page.value('holdline_command_duration_seconds_count', { operation: 'chats' }), 1);
  // It has just started and shares most of its memory with this process.
  await eventually(async () => {
    const browser = await ofSupervisor();
    assert.ok((browser.value('holdline_browser_memory_bytes', { kind: 'pss' }) ?? 0) > 1e7);
    return (browser.value('holdline_browser_processes') ?? 0) >= 1;
  });
});

test('a replica counts requests by route, and all unknown paths as one', async () => {
  await replica.get('/api/jobs/m-4915112345678');
  await replica.get('/4915112345678');
  await replica.get('/wp-admin');
  const page = await ofReplica();
  const count = (route: string, status: string) =>
    page.value('holdline_http_requests_total', { route, status });
  assert.equal(count('/api/jobs/{id}', '404'), 1);
  assert.equal(count('(unknown)', '404'), 2);
  assert.equal(count('/api/status', '200'), 1);
});

test('metrics contain no phone number and no name', async () => {
  assert.ok((await supervised.observer.read()).status?.account?.wid?.startsWith('4915112345678'));
  for (const text of [await supervisor.metrics.page.render(), await (await replica.get('/metrics')).text()]) {
    assert.doesNotMatch(text, /4915112345678|Ada/);
  }
});

test('a scrape while Redis is down answers that it is down', async () => {
  const other = await startRedis();
  const lonely = await startReplica(other.url);
  try {
    assert.equal((await ofReplica(lonely)).value('holdline_redis_up'), 1);
    await other.stop();
    const scraped = async () => parseMetrics(await render(lonely));
    await eventually(async () => (await scraped()).value('holdline_redis_up') === 0);
    const page = await scraped();
    assert.equal(page.value('holdline_supervisors'), undefined);
    assert.equal(page.value('holdline_session_state', { state: 'stopped' }), undefined);
  } finally {
    await lonely.close();
  }
});
