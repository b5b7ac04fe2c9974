import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import jsQR from 'jsqr';
import { PNG } from 'pngjs';
import { quarantineKey, sessionKeys } from '../../../../src/contract/keys.js';
import { operations } from '../../../../src/contract/operations.js';
import { ownerGoneSentence, type Status, statusSchema } from '../../../../src/contract/status.js';
import { eventually } from '../../../support/eventually.js';
import { type Replica, startReplica } from '../../../support/http-replica.js';
import { type RedisServer, startRedis } from '../../../support/redis-server.js';
import {
  type Script,
  type ScriptedOwner,
  showQrUntilAsked,
  startOwner,
} from '../../../support/scripted-owner.js';

const keys = sessionKeys('default');
const account = { wid: '491511234567@c.us', pushname: 'Ada', platform: 'android' };
const noQr = 'No QR is available yet. Start auth, then refresh this page.';

describe('the status that a replica answers', () => {
  let server: RedisServer;
  let redis: Redis;
  let replica: Replica;
  const owners: ScriptedOwner[] = [];

  before(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
    replica = await startReplica(server.url);
  });
  afterEach(async () => {
    for (const owner of owners.splice(0)) await owner.close();
    await redis.flushall();
  });
  after(async () => {
    await replica.close();
    redis.disconnect();
    await server.stop();
  });

  async function run(script: Script): Promise<ScriptedOwner> {
    const owner = await startOwner(server.url, script);
    owners.push(owner);
    await replica.post('/api/auth/start');
    return owner;
  }

  it('has exactly the pinned fields in the pinned order before the first run', async () => {
    const status = await replica.status();
    assert.deepEqual(Object.keys(status), Object.keys(statusSchema.shape));
    assert.deepEqual(status, {
      ...{ state: 'stopped', ready: false, authenticated: false, auth_dir: '/srv/holdline/auth' },
      ...{ chrome_executable: '', headless: true, has_qr: false, last_error: null, account: null },
      ...{ session: 'default', epoch: 0, incarnation: 0, restarts: 0, supervisor: null },
      ...{ updated_at: null, qr: null, passkey: null, page: null },
    });
  });

  it('ends with the capabilities of the page, on every path', async () => {
    const page = operations.status.example.output.page;
    assert.ok(page);
    await run(async (life) => {
      await life.publish('ready', { account, page, lastError: page.problem });
      await life.end('stopped', { intent: await life.intent });
    });
    const status = await replica.status();
    assert.deepEqual(status.page, page);
    assert.equal(Object.keys(status).at(-1), 'page');
    assert.deepEqual(
      operations.health.output.parse(await (await replica.get('/health')).json()).status,
      status,
    );
  });

  it('has page null when an earlier version stored it', async () => {
    const owner = await run(showQrUntilAsked);
    const { page: _new, ...earlier } = await replica.status();
    // A text that looks like the field is not the field.
    const stored = { ...earlier, last_error: 'it said "page":null' };
    await redis.set(keys.state, JSON.stringify(stored));
    for (const text of [
      await (await replica.get('/api/status')).text(),
      JSON.stringify(((await (await replica.get('/')).json()) as { status: unknown }).status),
    ]) {
      assert.equal(text, JSON.stringify({ ...stored, page: null }));
    }
    await owner.runs[0]?.fallSilent();
    const gone = await eventually(async () => {
      const now = await replica.status();
      return now.state === 'disconnected' && now;
    });
    assert.equal((gone as Status).page, null);
  });

  it('has page null without a heartbeat', async () => {
    const owner = await run(async (life) => {
      await life.publish('ready', { account, page: operations.status.example.output.page });
      await life.end('stopped', { intent: await life.intent });
    });
    await owner.runs[0]?.fallSilent();
    await eventually(async () => (await replica.status()).state === 'disconnected');
    assert.equal((await replica.status()).page, null);
  });

  it('is byte for byte what the owner wrote', async () => {
    await run(showQrUntilAsked);
    const text = await (await replica.get('/api/status')).text();
    assert.equal(text, await redis.get(keys.state));
  });

  it('comes with the product name and the MCP endpoint at / and /health', async () => {
    await run(showQrUntilAsked);
    for (const path of ['/', '/health']) {
      const health = (await (await replica.get(path)).json()) as Record<string, unknown>;
      assert.deepEqual(Object.keys(health), ['ok', 'name', 'mcp', 'status', 'credentials_backup']);
      const parsed = operations.health.output.parse(health);
      assert.equal(parsed.name, 'holdline');
      assert.equal(parsed.mcp, `${replica.url}/mcp`);
      assert.equal(parsed.status.state, 'qr');
    }
  });

  it('comes with the backup status of the owner, or that no supervisor has run the session yet', async () => {
    const backup = async () =>
      operations.health.output.parse(await (await replica.get('/health')).json()).credentials_backup;
    assert.deepEqual(await backup(), {
      enabled: false,
      reason: 'no supervisor has run the session yet',
      taken_at: null,
      bytes: null,
    });
    await redis.set(keys.backupStatus, JSON.stringify({ enabled: true, reason: null }));
    await redis.set(keys.backupSummary, JSON.stringify({ taken_at: '2026-01-15T09:30:12.345Z', bytes: 5 }));
    assert.deepEqual(await backup(), {
      enabled: true,
      reason: null,
      taken_at: '2026-01-15T09:30:12.345Z',
      bytes: 5,
    });
  });

  it('comes with the configured public URL', async () => {
    const behindProxy = await startReplica(server.url, {
      environment: { WHATSAPP_PUBLIC_URL: 'https://wa.example.org/hold/' },
    });
    try {
      const { mcp } = (await (await behindProxy.get('/')).json()) as { mcp: string };
      assert.equal(mcp, 'https://wa.example.org/hold/mcp');
    } finally {
      await behindProxy.close();
    }
  });

  it('comes with the issued code, on a page and as a PNG of 360x360', async () => {
    await run(async (life) => {
      await life.publish('qr', { qrText: 'ref,noise,identity,secret,1', qrNumber: 3 });
      await life.end('stopped', { intent: await life.intent });
    });
    const response = await replica.get('/qr.png');
    assert.equal(response.headers.get('content-type'), 'image/png');
    const png = Buffer.from(await response.arrayBuffer());
    assert.equal(read(png), 'ref,noise,identity,secret,1');

    const page = await (await replica.get('/qr')).text();
    const embedded = /<img src="data:image\/png;base64,([^"]+)"/.exec(page)?.[1] ?? '';
    assert.deepEqual(Buffer.from(embedded, 'base64'), png);
    assert.ok(!page.includes(noQr));
  });

  it('has no code after the scan', async () => {
    await run(async (life) => {
      await life.publish('qr', { qrText: 'a code' });
      await life.publish('ready', { account });
      await life.end('stopped', { intent: await life.intent });
    });
    await eventually(async () => (await replica.status()).state === 'ready');
    await assertNoCode();
  });

  it('is disconnected with the reason and without a code when the heartbeat of a ready session ends', async () => {
    const owner = await run(async (life) => {
      await life.publish('ready', { account });
      await life.end('stopped', { intent: await life.intent });
    });
    await owner.runs[0]?.fallSilent();
    const status = await eventually(async () => {
      const now = await replica.status();
      return now.state === 'disconnected' && now;
    });
    const { ready, authenticated, last_error, qr } = status as Status;
    assert.deepEqual(
      { ready, authenticated, last_error, qr },
      { ready: false, authenticated: false, last_error: ownerGoneSentence, qr: null },
    );
    assert.deepEqual((status as Status).account, account);
  });

  it('has no code without a heartbeat, even if Redis still has one', async () => {
    const owner = await run(showQrUntilAsked);
    await owner.runs[0]?.fallSilent();
    await eventually(async () => (await replica.status()).state === 'disconnected');
    assert.equal(await redis.exists(keys.qrPng), 1);
    await assertNoCode();
  });

  it('says that a dead owner is gone as soon as its heartbeat expires', async () => {
    const owner = await startOwner(server.url, showQrUntilAsked);
    await replica.post('/api/auth/start');
    await owner.crash();
    await eventually(async () => (await redis.exists(keys.heartbeat)) === 0);
    assert.equal((await replica.status()).last_error, ownerGoneSentence);
  });

  it('stays as it was when the run has ended', async () => {
    await run(async (life) => {
      await life.publish('starting');
      await life.end('auth_failure', { lastError: 'refused' });
    });
    await owners.splice(0)[0]?.close();
    assert.equal(await redis.pttl(keys.heartbeat), -1);
    const status = await replica.status();
    assert.deepEqual([status.state, status.last_error], ['auth_failure', 'refused']);
  });

  it('is the same on a replica that starts later', async () => {
    await run(showQrUntilAsked);
    const later = await startReplica(server.url);
    try {
      assert.deepEqual(await later.status(), await replica.status());
    } finally {
      await later.close();
    }
  });

  it('takes one command to Redis while the session has an owner', async () => {
    await redis.set(keys.state, JSON.stringify(await replica.status()));
    await redis.set(keys.heartbeat, 'live', 'EX', 60);
    for (const path of ['/', '/api/status', '/qr', '/qr.png']) {
      await redis.config('RESETSTAT');
      for (let i = 0; i < 5; i++) await (await replica.get(path)).text();
      assert.deepEqual(await commandCounts(), { mget: 5 }, path);
    }
  });

  it('starts no session', async () => {
    await (await replica.get('/qr')).text();
    assert.equal(await redis.exists(keys.job), 0);
  });

  it('is a 500 and a log line when it is unreadable, and is read anew the next time', async () => {
    for (const junk of ['{"state":', '{"state":"dancing"}', '[]']) {
      await redis.set(keys.state, junk);
      for (const path of ['/api/status', '/', '/qr.png', '/qr']) {
        const response = await replica.get(path);
        assert.equal(response.status, 500, `${path} ${junk}`);
        const { error } = (await response.json()) as { error: { code: string; message: string } };
        assert.equal(error.code, 'internal_error');
        assert.ok(!error.message.includes('dancing'));
      }
    }
    assert.ok(replica.logLines.some((line) => line.code === 'internal_error' && line.path === '/api/status'));
    await redis.del(keys.state);
    assert.equal((await replica.status()).state, 'stopped');
  });

  it('leads to a new start job when the present one is unreadable', async () => {
    await redis.hset(keys.job, 'data', 'not json');
    assert.equal((await replica.post('/api/auth/start')).status, 200);
    assert.match((await redis.hget(keys.job, 'data')) ?? '', /startId/);
    assert.equal(await redis.hget(quarantineKey(keys.job), 'data'), 'not json');
    assert.deepEqual(await redis.lrange('{wa}:sessions:wait', 0, -1), ['s-default']);
  });

  async function assertNoCode(): Promise<void> {
    const response = await replica.get('/qr.png');
    assert.equal(response.status, 404);
    const { error } = (await response.json()) as { error: { code: string } };
    assert.equal(error.code, 'qr_not_available');
    const page = await (await replica.get('/qr')).text();
    assert.ok(page.includes(noQr));
    assert.ok(!page.includes('<img'));
  }

  async function commandCounts(): Promise<Record<string, number>> {
    const lines = (await redis.info('commandstats')).matchAll(/cmdstat_([^:]+):calls=(\d+)/g);
    return Object.fromEntries(
      [...lines]
        .map(([, name, calls]) => [name as string, Number(calls)] as const)
        .filter(([name]) => !name.startsWith('config') && name !== 'info'),
    );
  }
});

function read(png: Buffer): string | undefined {
  const { width, height, data } = PNG.sync.read(png);
  assert.deepEqual([width, height], [360, 360]);
  return jsQR.default(new Uint8ClampedArray(data), width, height)?.data;
}
