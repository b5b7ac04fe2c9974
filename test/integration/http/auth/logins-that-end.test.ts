import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { type EventClient, listenToEvents } from '../../../support/event-client.js';
import { claimToWrite, type EventWriter } from '../../../support/event-writer.js';
import { eventually } from '../../../support/eventually.js';
import { type KeyedReplica, makeKeys, startKeyedReplica } from '../../../support/keyed-replica.js';
import { type RedisServer, startRedis } from '../../../support/redis-server.js';

/** A stream or a wait of a login lasts no longer than the login. */
describe('a stream or a wait of a login', () => {
  const keys = makeKeys();
  let server: RedisServer;
  let redis: Redis;
  let here: KeyedReplica;
  let there: KeyedReplica;
  let writer: EventWriter;
  const clients: EventClient[] = [];

  before(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
    // One test stops Redis.
    redis.on('error', () => undefined);
  });
  beforeEach(async () => {
    await redis.flushall();
    writer = await claimToWrite(redis);
    await writer.publish({ state: 'starting' });
    const feedTuning = { lingerMs: 50 };
    [here, there] = await Promise.all([
      startKeyedReplica(server.url, keys, { feedTuning }),
      startKeyedReplica(server.url, keys, { feedTuning }),
    ]);
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await Promise.all([here.close(), there.close()]);
  });
  after(async () => {
    redis.disconnect();
    await server.stop();
  });

  async function listen(on: KeyedReplica, cookie: string): Promise<EventClient> {
    const client = await listenToEvents(on.url, { headers: { cookie } });
    assert.equal(client.status, 200);
    clients.push(client);
    return client;
  }

  const signOut = (cookie: string) =>
    here.post('/signout', { redirect: 'manual', headers: { cookie, origin: here.url } });

  /** The server ended the stream in order, and lets it in no more. */
  async function assertEnded(client: EventClient, on: KeyedReplica, cookie: string): Promise<void> {
    await client.untilEnd();
    assert.ok(client.isComplete);
    assert.equal((await on.get('/api/events', { headers: { cookie } })).status, 401);
  }

  it('ends with a sign-out on every replica; the streams of other logins go on', async () => {
    const [mine, another] = [await here.cookieOf(keys.key.read), await here.cookieOf(keys.key.read)];
    const ended = [await listen(here, mine), await listen(there, mine), await listen(there, mine)];
    const [going] = [await listen(there, another), await listen(here, another)];
    await writer.messages('before');
    for (const client of clients) await client.untilCount(1);
    assert.equal((await signOut(mine)).status, 303);
    for (const [i, client] of ended.entries()) await assertEnded(client, i === 0 ? here : there, mine);
    await writer.messages('after');
    await going?.untilCount(2);
    assert.ok(ended.every(({ text }) => !text.includes('after')));
    assert.ok(clients.slice(3).every(({ hasEnded }) => !hasEnded));
  });

  it('ends when the login or the guest login expires', async () => {
    const [login, guest] = [await here.cookieOf(keys.key.read), await here.guestCookie()];
    const [one, other] = [await listen(here, login), await listen(there, guest)];
    for (const name of await redis.keys('{wa}:login:*')) await redis.pexpire(name, 50);
    await assertEnded(one, here, login);
    assert.equal(other.hasEnded, false, 'the control');
    for (const name of await redis.keys('{wa}:qr-visit:*')) await redis.pexpire(name, 50);
    await assertEnded(other, there, guest);
  });

  it('ends at its known expiry even while Redis is down, and not before', async () => {
    const login = await here.cookieOf(keys.key.read);
    const [short, long] = [await listen(here, login), await listen(here, await here.cookieOf(keys.key.read))];
    const [first] = await redis.keys('{wa}:login:*');
    const shortKey = (await redis.keys('{wa}:login:*')).find((name) => name !== first) ?? '';
    for (const name of [first ?? '', shortKey]) assert.ok((await redis.ttl(name)) > 43_000);
    // It may be either of the two: one ends, the other goes on.
    await redis.pexpire(shortKey, 4_000);
    const before = await checksOf(redis);
    await eventually(async () => (await checksOf(redis)) > before + 1, {
      message: 'the replica knows the expiry',
    });
    await server.kill();
    try {
      await eventually(() => short.hasEnded || long.hasEnded, { timeoutMs: 20_000 });
      assert.notEqual(short.hasEnded, long.hasEnded);
    } finally {
      await server.restart();
    }
  });

  it('ends when the API key of the login is removed', async () => {
    const login = await here.cookieOf(keys.key.read);
    const client = await listen(here, login);
    const [name = ''] = await redis.keys('{wa}:login:*');
    await redis.set(name, JSON.stringify({ name: 'read', key: 'another' }), 'KEEPTTL');
    await assertEnded(client, here, login);
  });

  it('answers a wait 401, and takes its read out of the queue', async () => {
    const login = await here.cookieOf(keys.key.read);
    const asked = here.get('/api/chats', { headers: { cookie: login, prefer: 'wait=100' } });
    await eventually(async () => (await redis.keys('{wa}:reads-default:r-*')).length === 1);
    await signOut(login);
    const answer = await asked;
    assert.equal(answer.status, 401);
    assert.match(await answer.text(), /the login of this browser has ended/);
    await eventually(async () => (await redis.keys('{wa}:reads-default:r-*')).length === 0);
  });

  it('goes on when it belongs to an API key', async () => {
    const client = await listenToEvents(here.url, { headers: { 'x-api-key': keys.key.read } });
    clients.push(client);
    await signOut(await here.cookieOf(keys.key.read));
    await writer.messages('still there');
    await client.untilCount(1);
    assert.equal(client.hasEnded, false);
  });
});

/** How often replicas checked logins: only these checks call PTTL. */
async function checksOf(redis: Redis): Promise<number> {
  const info = await redis.info('commandstats');
  return Number(/cmdstat_pttl:calls=(\d+)/.exec(info)?.[1] ?? 0);
}
