import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { quarantineKey } from '../../../../src/contract/keys.js';
import { eventually } from '../../../support/eventually.js';
import { type HeldSession, holdSession } from '../../../support/held-session.js';
import { outageTiming, type Replica, soonMs, startReplica } from '../../../support/http-replica.js';
import { type KeyedReplica, makeKeys, startKeyedReplica } from '../../../support/keyed-replica.js';
import { timesMet } from '../../../support/raw-connection.js';
import { type RedisServer, startRedis } from '../../../support/redis-server.js';
import { assertError, postSend } from '../../../support/send-client.js';

const environment = { WHATSAPP_RATE_LIMIT: '5', WHATSAPP_SEND_QUEUE_MAX: '3' };
const trusting = { environment: { ...environment, WHATSAPP_TRUSTED_PROXIES: '127.0.0.1' } };

describe('rate limits', () => {
  const keys = makeKeys();
  let server: RedisServer;
  let redis: Redis;
  let replica: KeyedReplica;
  let other: KeyedReplica;
  let open: Replica;

  before(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
    replica = await startKeyedReplica(server.url, keys, trusting);
    other = await startKeyedReplica(server.url, keys, trusting);
    open = await startReplica(server.url, {
      environment: { ...environment, WHATSAPP_RATE_LIMIT: '50' },
      feedTuning: { maxClients: 2 },
    });
  });
  afterEach(() => redis.flushall());
  after(async () => {
    await Promise.all([replica.close(), other.close(), open.close()]);
    redis.disconnect();
    await server.stop();
  });

  const stop = (from: KeyedReplica, key: string, address: string, body = '{}') =>
    from.ask(key, '/api/stop', {
      ...{ method: 'POST', body },
      headers: { 'content-type': 'application/json', 'x-forwarded-for': address },
    });

  for (const [what, write] of Object.entries({
    'a list': (key: string) => redis.rpush(key, 'x'),
    rubbish: (key: string) => redis.set(key, 'many'),
    'not UTF-8': (key: string) => redis.set(key, Buffer.from([0xff, 0xfe])),
    'the largest number': (key: string) => redis.set(key, '9223372036854775807'),
  })) {
    it(`count anew when a counter is ${what}`, async () => {
      const key = '{wa}:limit:requests:key:admin';
      await write(key);
      assert.equal((await stop(replica, keys.key.admin, '203.0.113.5')).status, 200);
      assert.equal(await redis.get(key), '1');
      assert.equal(await redis.exists(quarantineKey(key)), 1);
    });
  }

  it('count a key over all replicas and addresses, and say when to retry', async () => {
    const answers: Response[] = [];
    for (let i = 0; i < 7; i++) {
      answers.push(await stop(i % 2 === 0 ? replica : other, keys.key.admin, `203.0.113.${i}`));
    }
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200, 200, 200, 429, 429],
    );
    const [refused] = answers.slice(-1) as [Response];
    const waitS = Number(refused.headers.get('retry-after'));
    assert.ok(waitS >= 1 && waitS <= 60, `${waitS}`);
    const { error } = (await refused.json()) as { error: { code: string; message: string } };
    assert.equal(error.code, 'rate_limited');
    assert.match(error.message, /more than 5 requests a minute \(WHATSAPP_RATE_LIMIT\); try again in \d+ s/);
  });

  it('count an address over all keys', async () => {
    const chats = (key: string) =>
      replica.ask(key, '/api/chats', { headers: { 'x-forwarded-for': '203.0.113.5' } });
    for (let i = 0; i < 5; i++)
      assert.equal((await chats(i % 2 ? keys.key.read : keys.key.send)).status, 409);
    assert.equal((await chats(keys.key.admin)).status, 429);
  });

  it('apply before the body of a request is read', async () => {
    for (let i = 0; i < 5; i++) await stop(replica, keys.key.admin, '203.0.113.5', 'no json');
    assert.equal((await stop(replica, keys.key.admin, '203.0.113.5', 'no json')).status, 429);
    const forbidden = await stop(replica, keys.key.read, '203.0.113.5', 'no json');
    assert.equal(forbidden.status, 403, 'a missing right is reported first');
  });

  it('do not count what clients poll: status, QR, health, probes, jobs and the tools that only read Redis', async () => {
    for (let i = 0; i < 8; i++) {
      for (const path of ['/api/status', '/qr', '/health', '/livez', '/readyz', '/docs']) {
        assert.equal((await replica.ask(keys.key.admin, path)).status, 200, path);
      }
      assert.equal((await replica.ask(keys.key.admin, '/api/jobs/x')).status, 404);
      assert.ok(!(await callTool('whatsapp_status')).isError);
    }
    assert.deepEqual(await redis.keys('{wa}:limit:*'), []);
  });

  async function callTool(name: string): Promise<{ isError?: boolean; text: string }> {
    const response = await replica.ask(keys.key.admin, '/mcp', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } }),
    });
    const { result } = (await response.json()) as {
      result: { isError?: boolean; content: { text: string }[] };
    };
    return { ...result, text: result.content.map(({ text }) => text).join('\n') };
  }

  it('count the tool calls of an agent', async () => {
    for (let i = 0; i < 5; i++) assert.match((await callTool('whatsapp_list_chats')).text, /not_started/);
    const refused = await callTool('whatsapp_list_chats');
    assert.equal(refused.isError, true);
    assert.match(refused.text, /\(rate_limited\)[\s\S]*Wait \d+ s before the next try/);
  });

  it('answer 503 soon, not 500, when Redis is down or frozen', async () => {
    const hasty = await startKeyedReplica(server.url, keys, { ...trusting, timing: outageTiming });
    await stop(hasty, keys.key.admin, '203.0.113.5');
    server.signal('SIGSTOP');
    try {
      const startedAt = performance.now();
      assert.equal((await stop(hasty, keys.key.admin, '203.0.113.5')).status, 503);
      assert.ok(performance.now() - startedAt < soonMs);
    } finally {
      server.signal('SIGCONT');
      await hasty.close();
    }
    await server.kill();
    try {
      assert.equal((await stop(other, keys.key.admin, '203.0.113.5')).status, 503);
    } finally {
      await server.restart();
    }
    // The next test must not begin while a connection is still down.
    for (const each of [replica, other, open]) await eventually(async () => (await each.get('/readyz')).ok);
  });

  it('leave guests only a part of the event streams', async () => {
    const few = await startKeyedReplica(server.url, keys, { feedTuning: { maxGuests: 1 } });
    const stop = new AbortController();
    try {
      const listen = async () => {
        const headers = { cookie: await few.guestCookie() };
        const answer = await few.get('/api/events?types=state,qr', { headers, signal: stop.signal });
        return answer.status;
      };
      assert.equal(await listen(), 200);
      assert.equal(await listen(), 429);
      const headers = { 'x-api-key': keys.key.read };
      assert.equal(await timesMet(few, 'visitorStreams', headers), 1);
      assert.equal((await few.get('/api/events', { headers, signal: stop.signal })).status, 200);
    } finally {
      stop.abort();
      await few.close();
    }
  });

  it('count only the address where no keys are configured', async () => {
    const statuses = await Promise.all(
      Array.from({ length: 51 }, async () => (await open.get('/api/chats')).status),
    );
    assert.equal(statuses.filter((status) => status === 429).length, 1);
  });

  it('refuse a send while the queue is full, until a message leaves it', async () => {
    const session: HeldSession = await holdSession(server.url, open);
    try {
      await session.run.publish('ready');
      const send = (key: string) => postSend(open, { key, prefer: 'respond-async' });
      for (const key of ['1', '2', '3']) assert.equal((await send(key)).status, 202);
      const refused = await send('4');
      assertError(refused, 429, 'queue_full');
      assert.equal(refused.headers.get('retry-after'), '30');
      assert.equal((await send('2')).status, 202, 'a message that was accepted before is found');
      const [wait, active] = ['{wa}:sends-default:wait', '{wa}:sends-default:active'] as const;
      await redis.lmove(wait, active, 'RIGHT', 'LEFT');
      assertError(await send('4'), 429, 'queue_full');
      await redis.lpop(active);
      assert.equal((await send('4')).status, 202);
    } finally {
      await session.close();
    }
  });

  it('refuse an event stream beyond the limit of the replica', async () => {
    const stop = new AbortController();
    const listen = () => fetch(`${open.url}/api/events`, { signal: stop.signal });
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await listen()).status);
    assert.deepEqual(statuses, [200, 200, 429]);
    stop.abort();
  });

  it('keep equal Idempotency-Keys of two API keys apart', async () => {
    const wide = await startKeyedReplica(server.url, keys);
    const session = await holdSession(server.url, wide.asAdmin, 30_000);
    try {
      await session.run.publish('ready');
      const sendAs = (key: string, message: string) =>
        postSend(
          { ...wide, post: (path, init) => wide.ask(key, path, { method: 'POST', ...init }) },
          { key: 'order-1', message, prefer: 'respond-async' },
        );
      const first = await sendAs(keys.key.send, 'one');
      const second = await sendAs(keys.key.admin, 'two');
      assert.deepEqual([first.status, second.status], [202, 202]);
      assert.notEqual(first.body.id, second.body.id);
      assertError(await sendAs(keys.key.send, 'two'), 409, 'idempotency_conflict');
    } finally {
      await session.close();
      await wide.close();
    }
  });
});
