import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { keyPrefix, sessionKeys } from '../../../../src/contract/keys.js';
import { readsQueue } from '../../../../src/contract/names.js';
import type { Account } from '../../../../src/contract/status.js';
import { composeStatus } from '../../../../src/contract/status.js';
import { endRun } from '../../../../src/platform/store/state-store.js';
import { markWiped } from '../../../../src/platform/store/wipe-store.js';
import { type EventClient, listenToEvents } from '../../../support/event-client.js';
import { claimToWrite, type EventWriter } from '../../../support/event-writer.js';
import { type KeyedReplica, makeKeys, startKeyedReplica } from '../../../support/keyed-replica.js';
import { onBound } from '../../../support/on-bound.js';
import { openRedis, type RedisForData } from '../../../support/shared-redis.js';

const session = 'default';
const k = sessionKeys(session);
const ada: Account = { wid: '491511234567@c.us', pushname: 'Ada', platform: 'android' };
const bob: Account = { wid: '491517654321@c.us', pushname: 'Bob', platform: 'iphone' };
const reads = `${keyPrefix}:${readsQueue(session)}`;

describe('the end of an account', () => {
  const keys = makeKeys();
  let server: RedisForData;
  let redis: Redis;
  let replica: KeyedReplica;
  let writer: EventWriter;
  const clients: EventClient[] = [];

  before(async () => {
    server = await openRedis();
    redis = new Redis(server.url);
  });
  beforeEach(async () => {
    await redis.flushdb();
    writer = await claimToWrite(redis);
    await writer.publish({ state: 'ready', account: ada });
    replica = await startKeyedReplica(server.url, keys, { feedTuning: { lingerMs: 50 } });
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await replica.close();
  });
  after(async () => {
    redis.disconnect();
    await server.stop();
  });

  async function listen(lastEventId: string | null = null): Promise<EventClient> {
    const headers = { 'x-api-key': keys.key.read };
    const client = await listenToEvents(replica.url, { headers, lastEventId });
    clients.push(client);
    return client;
  }

  const lastId = async () => (await redis.xrevrange(k.events, '+', '-', 'COUNT', 1))[0]?.[0] ?? '';
  const stored = async () => JSON.stringify(await redis.xrange(k.events, '-', '+'));
  const typesOf = ({ events }: EventClient) => events.map(({ type }) => type);

  /** Leaves reads in Redis: one completed, one failed, one waiting. */
  async function leaveReads(): Promise<void> {
    const connection = new Redis(server.url, { maxRetriesPerRequest: null });
    const queue = new Queue(readsQueue(session), { connection, prefix: keyPrefix });
    try {
      for (const name of ['settled', 'refused', 'waiting']) {
        await queue.add('chats', {}, { jobId: `r-${name}` });
      }
      for (const [name, list] of [
        ['settled', 'completed'],
        ['refused', 'failed'],
      ] as const) {
        await redis.lrem(`${reads}:wait`, 0, `r-${name}`);
        await redis.zadd(`${reads}:${list}`, Date.now(), `r-${name}`);
        await redis.hset(`${reads}:r-${name}`, 'returnvalue', '"what the chats said"');
        await redis.xadd(`${reads}:events`, '*', 'event', list, 'returnvalue', '"what the chats said"');
      }
    } finally {
      await queue.close();
      connection.disconnect();
    }
  }

  async function readsLeft(): Promise<string[]> {
    const names = await redis.keys(`${reads}:*`);
    return names.filter((name) => !/:(meta|id|marker|stalled-check)$/.test(name));
  }

  /** Ends the run as its owner does or, without an owner, a replica. */
  async function logOut(expected = writer.fence): Promise<boolean> {
    const facts = { auth_dir: '/auth', chrome_executable: '/chromium', headless: true, session };
    const run = {
      ...facts,
      ...expected,
      incarnation: expected.incarnation + 1,
      restarts: 0,
      supervisor: 'a',
    };
    return endRun(redis, {
      ...{ session, expected, startId: '', unlinked: true, onBound },
      status: composeStatus(
        run,
        { state: 'stopped', lastError: null, account: null },
        new Date().toISOString(),
      ),
      intent: { id: randomUUID(), kind: 'logout' },
    });
  }

  it('deletes its events: a listener sees the logout without a gap, a client that resumes sees one after a gap', async () => {
    const live = await listen();
    const before = await lastId();
    await writer.messages('for Ada', 'and for Ada');
    await live.untilCount(2);
    assert.equal(await logOut(), true);
    await live.untilCount(4);
    assert.deepEqual(typesOf(live), ['message', 'message', 'state', 'account']);
    assert.equal(live.events[3]?.body.data, null);

    const resumed = await listen(before);
    await resumed.untilCount(3);
    assert.deepEqual(typesOf(resumed), ['gap', 'state', 'account']);
    assert.ok(resumed.events[0]?.body.oldest_id);
    const stillThere = await listen(live.lastEventId);
    await writer.publish({ state: 'starting' }).catch(() => undefined);
    assert.doesNotMatch(await stored(), /for Ada|Ada/);
    assert.equal(stillThere.text.includes('gap'), false, 'a client that saw the logout has missed nothing');
  });

  it('deletes its events when the phone has logged it out too, and leaves a stream that counts as emptied, not lost', async () => {
    const live = await listen();
    await writer.messages('for Ada');
    await live.untilCount(1);
    const resumeFrom = live.lastEventId;
    assert.notEqual(await markWiped(redis, session, writer.fence.epoch), null);
    assert.doesNotMatch(await stored(), /for Ada|Ada/);
    const early = await listen(resumeFrom);
    await early.untilCount(1);
    assert.ok(early.events[0]?.body.oldest_id, 'a gap before the kept events, not a lost stream');
    await writer.publish({ state: 'disconnected' });
    await writer.messages('for the next');
    await live.untilCount(4);
    assert.deepEqual(typesOf(live), ['message', 'state', 'account', 'message']);
  });

  it('deletes its events, links and reads when another account is linked, not when the same one is', async () => {
    const link = await replica.qrLink();
    await writer.messages('for Ada');
    await leaveReads();
    await writer.publish({ state: 'disconnected' });
    await writer.publish({ state: 'ready', account: { ...ada, pushname: 'Ada L.' } });
    assert.match(await stored(), /for Ada/, 'the control');
    assert.equal((await replica.get(link)).status, 200);
    assert.ok((await readsLeft()).length > 0);

    await writer.publish({
      state: 'qr',
      qr: { number: 1, issued_at: new Date().toISOString(), expires_at: null },
    });
    await writer.publish({ state: 'ready', account: bob });
    assert.doesNotMatch(await stored(), /Ada/);
    assert.match(await stored(), /Bob/);
    assert.equal((await replica.get(link)).status, 404);
    assert.deepEqual(await readsLeft(), []);
  });

  it('ends its QR links, unopened and opened; later links work', async () => {
    const [unopened, cookie] = [await replica.qrLink(), await replica.guestCookie()];
    const asGuest = () => replica.get('/qr.png', { headers: { cookie } });
    const stream = await listenToEvents(replica.url, { headers: { cookie } });
    clients.push(stream);
    assert.equal((await replica.get(unopened)).status, 200);
    assert.equal((await asGuest()).status, 404, 'let in, but there is no code');
    await logOut();
    assert.equal((await asGuest()).status, 401);
    assert.equal((await replica.get(unopened)).status, 404);
    assert.equal((await replica.post(unopened, { redirect: 'manual' })).status, 404);
    await stream.untilEnd();
    const later = await replica.guestCookie();
    assert.equal((await replica.get('/qr.png', { headers: { cookie: later } })).status, 404);
  });

  it('ends links of an earlier version, which note no account, at the first logout', async () => {
    const link = await replica.qrLink();
    const [key = ''] = await redis.keys('{wa}:qr-link:*');
    const { account, ...owner } = JSON.parse((await redis.get(key)) ?? '') as { account: number };
    assert.equal(account, 0);
    await redis.set(key, JSON.stringify(owner));
    assert.equal((await replica.get(link)).status, 200);
    await markWiped(redis, session, writer.fence.epoch);
    assert.equal((await replica.get(link)).status, 404);
  });

  it('deletes the results of reads, waiting reads and the numbers behind hidden ids', async () => {
    await leaveReads();
    await redis.hset(k.lids, { '@account': 'x', '123': '49151' });
    assert.ok((await readsLeft()).length >= 6);
    await logOut();
    assert.deepEqual(await readsLeft(), []);
    assert.equal(await redis.exists(k.lids), 0);
  });

  it('is not reached by a refused logout or by a stop', async () => {
    await writer.messages('for Ada');
    await leaveReads();
    const link = await replica.qrLink();
    const before = await stored();
    const stranger = { epoch: writer.fence.epoch - 1, incarnation: 0 };
    assert.equal(await logOut(stranger), false);
    assert.equal(await markWiped(redis, session, stranger.epoch), null);
    assert.equal(await stored(), before);
    await writer.publish({ state: 'stopped', account: ada });
    assert.match(await stored(), /for Ada/);
    assert.ok((await readsLeft()).length >= 6);
    assert.equal((await replica.get(link)).status, 200);
  });
});
