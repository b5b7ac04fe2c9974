import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { bounds } from '../../../../src/contract/bounds.js';
import { keyPrefix } from '../../../../src/contract/keys.js';
import { eventually } from '../../../support/eventually.js';
import { type HeldSession, holdSession } from '../../../support/held-session.js';
import { type Replica, startReplica } from '../../../support/http-replica.js';
import { timesMet } from '../../../support/raw-connection.js';
import { openRedis, type RedisForData } from '../../../support/shared-redis.js';

describe('reads of one caller', () => {
  let server: RedisForData;
  let redis: Redis;
  let replica: Replica;
  let session: HeldSession;

  before(async () => {
    server = await openRedis();
    redis = new Redis(server.url);
    replica = await startReplica(server.url, { environment: { WHATSAPP_TRUSTED_PROXIES: '127.0.0.1' } });
    // Nobody answers what is asked.
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

  it('stand in the queue a few at a time, and leave room between them for others', async () => {
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
    await eventually(async () => (await timesMet(replica, 'readsPerCaller')) === 10 - bounds.readsPerCaller);
    assert.equal(await asked(), bounds.readsPerCaller);

    const other = new AbortController();
    const modest = ask('203.0.113.2', other.signal);
    await eventually(async () => (await asked()) === bounds.readsPerCaller + 1);
    assert.equal(await timesMet(replica, 'readsPerCaller'), 10 - bounds.readsPerCaller, 'none of the other');

    leaving.abort();
    assert.deepEqual(new Set(await Promise.all(greedy)), new Set(['left']));
    await eventually(async () => (await asked()) === 1, {
      message: 'what nobody waits for leaves the queue',
    });
    other.abort();
    await modest;
  });

  it('come one after another as those before them end', async () => {
    const waits = Array.from({ length: bounds.readsPerCaller + 2 }, (_, i) =>
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
