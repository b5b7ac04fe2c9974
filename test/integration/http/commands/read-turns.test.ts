import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { keyPrefix } from '../../../../src/contract/keys.js';
import { eventually } from '../../../support/eventually.js';
import { type HeldSession, holdSession } from '../../../support/held-session.js';
import { type Replica, startReplica } from '../../../support/http-replica.js';
import { timesMet } from '../../../support/raw-connection.js';
import { openRedis, type RedisForData } from '../../../support/shared-redis.js';

describe('the reads of one caller', () => {
  let server: RedisForData;
  let redis: Redis;
  let replica: Replica;
  let session: HeldSession;

  before(async () => {
    server = await openRedis();
    redis = new Redis(server.url);
    replica = await startReplica(server.url, { environment: { WHATSAPP_TRUSTED_PROXIES: '127.0.0.1' } });
    // No session worker answers the reads.
    session = await holdSession(server.url, replica, 60_000);
    await session.run.publish('ready');
  });
  after(async () => {
    await session.close();
    await replica.close();
    redis.disconnect();
    await server.stop();
  });

  const asked = () => redis.llen(`${keyPrefix}:reads-default:wait`);

  it('enter the queue a few at a time, so that other callers get a turn', async () => {
    const leaving = new AbortController();
    const ask = (address: string, signal?: AbortSignal) =>
      replica
        .get('/api/chats', {
          headers: { 'x-forwarded-for': address, prefer: 'wait=60' },
          signal: signal ?? null,
        })
        .then(({ status }) => status)
        .catch(() => 'left');
    const greedy = Array.from({ length: 10 }, () => ask('203.0.113.1', leaving.signal));
    await eventually(async () => (await timesMet(replica, 'readsPerCaller')) === 7);
    assert.equal(await asked(), 3);

    const other = new AbortController();
    const modest = ask('203.0.113.2', other.signal);
    await eventually(async () => (await asked()) === 4);
    assert.equal(await timesMet(replica, 'readsPerCaller'), 7, 'the other caller met no limit');

    leaving.abort();
    assert.deepEqual(new Set(await Promise.all(greedy)), new Set(['left']));
    await eventually(async () => (await asked()) === 1, {
      message: 'an abandoned read leaves the queue',
    });
    other.abort();
    await modest;
  });

  it('enter the queue as earlier ones end', async () => {
    const waits = Array.from({ length: 5 }, (_, i) =>
      replica.get('/api/chats', {
        headers: { 'x-forwarded-for': '203.0.113.3', prefer: `wait=${i < 3 ? 1 : 4}` },
      }),
    );
    assert.deepEqual(
      (await Promise.all(waits)).map(({ status }) => status),
      waits.map(() => 504),
    );
    await eventually(async () => (await asked()) === 0);
  });
});
