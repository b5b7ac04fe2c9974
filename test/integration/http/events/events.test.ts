import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { eventSchemas } from '../../../../src/contract/events.js';
import { sessionKeys } from '../../../../src/contract/keys.js';
import { type EventClient, listenToEvents, type ReceivedEvent } from '../../../support/event-client.js';
import { claimToWrite, type EventWriter } from '../../../support/event-writer.js';
import { eventually } from '../../../support/eventually.js';
import { type Replica, startReplica } from '../../../support/http-replica.js';
import { openRedis, type RedisForData } from '../../../support/shared-redis.js';

const keys = sessionKeys('default');
const account = { wid: '491511234567@c.us', pushname: 'Ada', platform: 'android' };
const qr = { number: 1, issued_at: new Date().toISOString(), expires_at: null };

describe('GET /api/events', () => {
  let server: RedisForData;
  let redis: Redis;
  let replica: Replica;
  let other: Replica;
  let writer: EventWriter;
  const clients: EventClient[] = [];

  before(async () => {
    server = await openRedis();
    redis = new Redis(server.url);
  });
  // Each test has its own replicas: one that already followed the stream would not notice the flush.
  beforeEach(async () => {
    await redis.flushdb();
    writer = await claimToWrite(redis);
    await writer.publish({ state: 'starting' });
    const feedTuning = { lingerMs: 50, pageSize: 7 };
    [replica, other] = await Promise.all([
      startReplica(server.url, { feedTuning }),
      startReplica(server.url, { feedTuning: { ...feedTuning, pingIntervalMs: 100 } }),
    ]);
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await Promise.all([replica.close(), other.close()]);
  });
  after(async () => {
    redis.disconnect();
    await server.stop();
  });

  async function listen(
    options: Parameters<typeof listenToEvents>[1] = {},
    on = replica,
  ): Promise<EventClient> {
    const client = await listenToEvents(on.url, options);
    clients.push(client);
    return client;
  }

  async function streamReaders(): Promise<number> {
    const list = (await redis.client('LIST')) as string;
    return list.split('\n').filter((line) => /cmd=xread /.test(line)).length;
  }

  async function storedIds(): Promise<string[]> {
    return (await redis.xrange(keys.events, '-', '+')).map(([id]) => id);
  }

  it('sends new events in the shape of the contract, on any replica', async () => {
    const [here, there] = [await listen(), await listen({}, other)];
    assert.equal(here.status, 200);
    assert.equal(here.headers['content-type'], 'text/event-stream');
    assert.equal(here.headers['cache-control'], 'no-store');
    assert.equal(here.headers['x-accel-buffering'], 'no');
    await writer.publish({ state: 'qr', qr });
    await writer.publish({ state: 'ready', account });
    await writer.messages('hello\nworld');
    for (const client of [here, there]) {
      const events = await client.untilCount(6);
      assert.deepEqual(types(events), ['state', 'qr', 'state', 'qr', 'account', 'message']);
      for (const { body, type } of events) {
        assert.deepEqual(Object.keys(body), ['type', 'session', 'at', 'data']);
        assert.equal(body.type, type);
        eventSchemas[body.type].parse(body.data);
      }
      assert.match(client.blocks[0] ?? '', /^retry: 2000\n/);
      assert.deepEqual(
        events.map(({ id }) => id),
        (await storedIds()).slice(1),
      );
    }
    assert.doesNotMatch(here.text, /png/);
  });

  it('sends only the requested types', async () => {
    const client = await listen({ query: '?types=qr,account' });
    await writer.publish({ state: 'qr', qr });
    await writer.messages('hello');
    await writer.publish({ state: 'ready', account });
    assert.deepEqual(types(await client.untilCount(3)), ['qr', 'qr', 'account']);
  });

  for (const [what, query, lastEventId] of [
    ['an unknown type', '?types=state,mesage', undefined],
    ['the internal type', '?types=job', undefined],
    ['no type', '?types=', undefined],
    ['a malformed id', '', 'yesterday'],
    ['half an id', '', '1735689600000'],
    ['an id beyond 64 bits', '', '18446744073709551616-0'],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const response = await replica.get(`/api/events${query}`, {
        headers: lastEventId ? { 'last-event-id': lastEventId } : {},
      });
      assert.equal(response.status, 400);
      const { error } = (await response.json()) as { error: { code: string; issues: unknown[] } };
      assert.equal(error.code, 'invalid_request');
      assert.equal(error.issues.length, 1);
    });
  }

  it('takes a list of sessions, and refuses one that does not exist', async () => {
    const [all, listed] = [
      await listen({ query: '?sessions=*' }),
      await listen({ query: '?sessions=default' }),
    ];
    await writer.messages('hello');
    for (const client of [all, listed]) assert.deepEqual(types(await client.untilCount(1)), ['message']);
    const response = await replica.get('/api/events?sessions=default,nobody');
    assert.equal(response.status, 404);
    const { error } = (await response.json()) as { error: { code: string } };
    assert.equal(error.code, 'session_not_found');
  });

  it('answers HEAD at once, and refuses other methods', async () => {
    const head = await replica.get('/api/events', { method: 'HEAD' });
    assert.equal(head.status, 200);
    assert.equal(head.headers.get('content-type'), 'text/event-stream');
    assert.equal(await head.text(), '');
    const post = await replica.post('/api/events');
    assert.equal(post.status, 405);
    assert.equal(post.headers.get('allow'), 'GET, HEAD, OPTIONS');
  });

  it('resumes on another replica without loss or duplicate, while events keep coming', async () => {
    const first = await listen();
    let isWriting = true;
    const writing = (async () => {
      for (let n = 0; isWriting; n++) await writer.messages(`${n}`, `${n}+`);
    })();
    await first.untilCount(40);
    first.close();
    const resumed = await Promise.all(
      [replica, other, other].map((on) => listen({ lastEventId: first.lastEventId }, on)),
    );
    await resumed[0]?.untilCount(100);
    isWriting = false;
    await writing;
    const stored = await storedIds();
    const rest = stored.slice(stored.indexOf(first.lastEventId ?? '') + 1);
    for (const client of resumed) {
      assert.deepEqual(ids(await client.untilCount(rest.length)), rest);
    }
    assert.deepEqual(ids(first.events), stored.slice(1, stored.length - rest.length));
  });

  it('gives a client its position even if it has received no event', async () => {
    const client = await listen({ query: '?types=qr' }, other);
    const [latest] = await storedIds();
    await eventually(() => client.lastEventId === latest, { message: 'the client has its position' });
    await writer.messages('not for this one');
    await eventually(async () => client.lastEventId === (await storedIds()).at(-1));
    assert.deepEqual(client.events, []);
    client.close();
    await writer.messages('missed');
    const resumed = await listen({ lastEventId: client.lastEventId });
    assert.deepEqual(types(await resumed.untilCount(1)), ['message']);
  });

  it('sends a gap first when the requested events are no longer kept', async () => {
    await writer.messages('a', 'b', 'c');
    const [, gone = '', oldest = '', newest = ''] = await storedIds();
    await redis.xtrim(keys.events, 'MAXLEN', '=', 2);
    for (const lastEventId of [gone, '0-0', '1-0']) {
      const events = await (await listen({ lastEventId, query: '?types=message' })).untilCount(3);
      assert.deepEqual(ids(events), [null, oldest, newest]);
      assert.equal(events[0]?.type, 'gap');
      assert.deepEqual(events[0]?.body.data, { oldest_id: oldest });
      assert.equal(events[0]?.body.oldest_id, oldest);
    }
    const whole = await (await listen({ lastEventId: oldest })).untilCount(1);
    assert.deepEqual(ids(whole), [newest], 'the control: no gap after the oldest kept event');
  });

  it('sends a gap when the ids of Redis start anew', async () => {
    await writer.messages('a');
    const future = await listen({ lastEventId: '99999999999999-0' });
    const events = await future.untilCount(3);
    assert.deepEqual(types(events), ['gap', 'state', 'message']);
    await writer.messages('b');
    assert.deepEqual(types(await future.untilCount(4)).slice(3), ['message']);
  });

  it('sends a gap when Redis has lost its data, and goes on', async () => {
    const listening = await listen();
    await writer.messages('a');
    const [last] = (await listening.untilCount(1)).map(({ id }) => id);
    await redis.flushdb();
    const resumed = await listen({ lastEventId: last ?? null }, other);
    for (const client of [listening, resumed]) {
      await eventually(() => client.events.at(-1)?.type === 'gap', { message: 'a gap event' });
      assert.deepEqual(client.events.at(-1)?.body.data, { oldest_id: null });
    }
    writer = await claimToWrite(redis);
    await writer.publish({ state: 'starting' });
    await eventually(() => resumed.events.length === 2 && listening.events.length === 3);
    assert.deepEqual(types(listening.events), ['message', 'gap', 'state']);
  });

  it('sends pings between events', async () => {
    const client = await listen({}, other);
    await eventually(() => client.blocks.filter((block) => block === ': ping').length >= 2);
    assert.deepEqual(client.events, []);
  });

  it('reads events on one connection for all clients of a replica', async () => {
    await Promise.all(Array.from({ length: 40 }, () => listen()));
    await eventually(async () => (await streamReaders()) === 1);
    await Promise.all(Array.from({ length: 10 }, () => listen({}, other)));
    await writer.messages('for all');
    await Promise.all(clients.map((client) => client.untilCount(1)));
    await eventually(async () => (await streamReaders()) === 2);
  });

  it('does not send the internal notices of jobs', async () => {
    const client = await listen();
    await redis.xadd(keys.events, '*', 'type', 'job', 'event', '{"id":"k-1"}');
    await writer.messages('after it');
    assert.deepEqual(types(await client.untilCount(1)), ['message']);
    const resumed = await listen({ lastEventId: client.blocks[0]?.match(/id: (.*)/)?.[1] ?? '' });
    assert.deepEqual(types(await resumed.untilCount(1)), ['message']);
  });

  it('ends every stream when the replica closes, and resumes at another', async () => {
    const closing = await startReplica(server.url);
    const client = await listen({}, closing);
    await writer.messages('before');
    await client.untilCount(1);
    await closing.close();
    await client.untilEnd();
    assert.ok(client.isComplete, 'ended, not cut off with the last connections');
    await writer.messages('in between');
    const again = await startReplica(server.url);
    try {
      const resumed = await listen({ lastEventId: client.lastEventId }, again);
      await writer.messages('afterwards');
      const bodies = (await resumed.untilCount(2)).map(({ body }) => (body.data as { body: string }).body);
      assert.deepEqual(bodies, ['in between', 'afterwards']);
    } finally {
      await again.close();
    }
  });
});

function types(events: readonly ReceivedEvent[]): string[] {
  return events.map(({ type }) => type);
}

function ids(events: readonly ReceivedEvent[]): (string | null)[] {
  return events.map(({ id }) => id);
}
