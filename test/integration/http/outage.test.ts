import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { timingSchema } from '../../../src/contract/timing.js';
import { eventually } from '../../support/eventually.js';
import { outageTiming, type Replica, soonMs, startReplica } from '../../support/http-replica.js';
import { type RedisServer, startRedis } from '../../support/redis-server.js';
import { showQrUntilAsked, startOwner } from '../../support/scripted-owner.js';

const reading = ['/', '/health', '/api/status', '/qr', '/qr.png', '/readyz'];
const changing = ['/api/auth/start', '/api/stop', '/api/logout'];

describe('a replica without Redis', () => {
  let server: RedisServer;
  let replica: Replica;

  before(async () => {
    server = await startRedis();
  });
  beforeEach(async () => {
    const redis = new Redis(server.url);
    await redis.flushall();
    redis.disconnect();
    replica = await startReplica(server.url, { timing: outageTiming });
  });
  afterEach(async () => {
    await replica.close();
  });
  after(async () => {
    await server.stop();
  });

  for (const [fault, begin, end] of [
    ['down', () => server.kill(), () => server.restart()],
    ['frozen', () => server.signal('SIGSTOP'), () => server.signal('SIGCONT')],
  ] as const) {
    it(`answers 503 soon while Redis is ${fault}, and recovers by itself`, async () => {
      assert.equal((await replica.get('/readyz')).status, 200);
      await begin();
      try {
        await assertUnavailable(replica);
      } finally {
        await end();
      }
      await eventually(async () => (await replica.get('/readyz')).status === 200);
      await eventually(async () => (await replica.post('/api/auth/start')).status === 200);
    });
  }

  it('gives up a command to Redis within a second by default', () => {
    assert.ok(timingSchema.parse({}).httpCommandTimeoutMs < 1_000);
  });

  it('notices a freeze that outlasts its connections, and recovers', async () => {
    server.signal('SIGSTOP');
    try {
      // It gives up the frozen connections, and the kernel accepts the new ones without an answer.
      await eventually(
        async () => {
          await replica.get('/api/status');
          return replica.logLines.some((line) => /not reachable/.test(String(line.msg)));
        },
        { timeoutMs: 60_000 },
      );
      await assertUnavailable(replica);
    } finally {
      server.signal('SIGCONT');
    }
    await eventually(async () => (await replica.post('/api/auth/start')).status === 200);
  });

  it('listens before Redis is up, and works once it is', async () => {
    await server.kill();
    const early = await startReplica(server.url, { timing: outageTiming, isWithoutRedis: true });
    try {
      assert.equal((await early.get('/livez')).status, 200);
      await assertUnavailable(early);
      await server.restart();
      await eventually(async () => (await early.get('/readyz')).status === 200);
      const owner = await startOwner(server.url, showQrUntilAsked);
      try {
        const started = await early.post('/api/auth/start');
        assert.equal(((await started.json()) as { state: string }).state, 'qr');
      } finally {
        await owner.close();
      }
    } finally {
      await early.close();
    }
  });

  it('ends a waiting start with 503 when Redis dies', async () => {
    const owner = await startOwner(server.url, async (run) => {
      await run.publish('starting');
      await run.intent;
    });
    const waiting = replica.post('/api/auth/start');
    await eventually(() => owner.runs.length > 0);
    await server.kill();
    try {
      const startedAt = performance.now();
      assert.equal((await waiting).status, 503);
      assert.ok(performance.now() - startedAt < 15_000, 'it did not wait to the end');
    } finally {
      await server.restart();
      await owner.close();
    }
  });

  it('shows browsers a page that reloads, and other clients the error', async () => {
    await server.kill();
    try {
      const page = await replica.get('/qr', { headers: { accept: 'text/html,*/*;q=0.8' } });
      assert.equal(page.status, 503);
      assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8');
      const text = await page.text();
      assert.match(text, /<meta http-equiv="refresh" content="5">/);
      assert.match(text, /No QR is available yet\. Start auth, then refresh this page\./);
      assert.match(text, /This page recovers by itself/);
      const plain = await replica.get('/qr', { headers: { accept: '*/*' } });
      assert.equal(((await plain.json()) as { error: { code: string } }).error.code, 'redis_unavailable');
    } finally {
      await server.restart();
    }
  });

  it('closes in time while Redis is frozen', async () => {
    const closing = await startReplica(server.url);
    server.signal('SIGSTOP');
    try {
      const startedAt = performance.now();
      await closing.close();
      assert.ok(performance.now() - startedAt < 5_000, 'it did not wait for the command deadline');
    } finally {
      server.signal('SIGCONT');
    }
  });

  it('answers reads and refuses changes while Redis refuses writes', async () => {
    const redis = new Redis(server.url);
    try {
      await redis.config('SET', 'maxmemory', '1');
      assert.equal((await replica.get('/api/status')).status, 200);
      const response = await replica.post('/api/logout');
      assert.equal(response.status, 503);
    } finally {
      await redis.config('SET', 'maxmemory', '0');
      redis.disconnect();
    }
  });
});

async function assertUnavailable(replica: Replica): Promise<void> {
  assert.equal((await replica.get('/livez')).status, 200);
  const requests = [
    ...reading.map((path) => [path, 'GET'] as const),
    ...changing.map((path) => [path, 'POST'] as const),
  ];
  await Promise.all(
    requests.map(async ([path, method]) => {
      const startedAt = performance.now();
      const response = await replica.get(path, { method });
      const tookMs = performance.now() - startedAt;
      assert.equal(response.status, 503, path);
      assert.ok(tookMs < soonMs, `${path} took ${tookMs} ms`);
      const { error } = (await response.json()) as { error: { code: string } };
      assert.equal(error.code, 'redis_unavailable');
      assert.equal(response.headers.get('retry-after'), '1');
    }),
  );
}
