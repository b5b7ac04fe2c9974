import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { type BoundName, bounds } from '../../../../src/contract/bounds.js';
import type { SessionEvent } from '../../../../src/contract/events.js';
import { sessionKeys } from '../../../../src/contract/keys.js';
import { composeStatus } from '../../../../src/contract/status.js';
import type { Message } from '../../../../src/contract/whatsapp.js';
import { readEvents } from '../../../../src/platform/store/event-stream.js';
import { trimEvents } from '../../../../src/platform/store/event-writer.js';
import { endRun } from '../../../../src/platform/store/state-store.js';
import { EventRelay } from '../../../../src/session-worker/event-relay.js';
import { claimToWrite } from '../../../support/event-writer.js';
import { eventually } from '../../../support/eventually.js';
import { type RedisServer, startRedis } from '../../../support/redis-server.js';

const keys = sessionKeys('default');
const facts = { auth_dir: '', chrome_executable: '', headless: true, session: 'default', restarts: 0 };

describe('events in Redis', () => {
  let server: RedisServer;
  let redis: Redis;
  const relays: EventRelay[] = [];

  before(async () => {
    server = await startRedis();
    redis = new Redis(server.url, { maxRetriesPerRequest: null, retryStrategy: () => 50 });
    redis.on('error', () => undefined);
  });
  beforeEach(async () => {
    await redis.flushall();
  });
  afterEach(async () => {
    await Promise.all(relays.splice(0).map((relay) => relay.stop()));
  });
  after(async () => {
    redis.disconnect();
    await server.stop();
  });

  async function stored(): Promise<SessionEvent[]> {
    const events: SessionEvent[] = [];
    for (let after = '-'; ; ) {
      const { entries } = await readEvents(redis, 'default', after, 20_000);
      events.push(...entries.map(({ json }) => JSON.parse(json) as SessionEvent));
      const last = entries.at(-1);
      if (last === undefined) return events;
      after = last.id;
    }
  }

  it('a refused write adds no event, whichever it is', async () => {
    const stale = await claimToWrite(redis);
    const current = await claimToWrite(redis);
    assert.equal(await stale.publish({ state: 'ready' }), false);
    assert.equal(await stale.messages('late'), false);
    const status = composeStatus(
      { ...facts, ...stale.fence, supervisor: null },
      { state: 'stopped', lastError: null, account: null },
      new Date().toISOString(),
    );
    const end = { session: 'default', expected: stale.fence, status, startId: '', intent: null };
    assert.equal(await endRun(redis, { ...end, unlinked: false }), false);
    assert.deepEqual(await stored(), []);
    assert.equal(await current.publish({ state: 'ready' }), true, 'the control');
    assert.equal(await endRun(redis, { ...end, expected: current.fence, unlinked: false }), true);
    assert.deepEqual(
      (await stored()).map(({ type }) => type),
      ['state', 'state'],
    );
  });

  it('tells what changed from what stood in Redis, whoever wrote that', async () => {
    const first = await claimToWrite(redis);
    const qr = { number: 2, issued_at: new Date().toISOString(), expires_at: null };
    await first.publish({ state: 'qr', qr });
    const next = await claimToWrite(redis);
    await next.publish({ state: 'starting' });
    await next.publish({ state: 'starting' });
    const events = await stored();
    assert.deepEqual(
      events.map(({ type }) => type),
      ['state', 'qr', 'state', 'qr', 'state'],
    );
    assert.deepEqual(events[3]?.data, { available: false, number: null, expires_at: null });
  });

  it('composes the events anew when somebody writes at the same time', async () => {
    const writer = await claimToWrite(redis);
    const qr = (number: number) => ({ number, issued_at: new Date().toISOString(), expires_at: null });
    await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        writer.publish(index % 2 ? { state: 'ready' } : { state: 'qr', qr: qr(index + 1) }),
      ),
    );
    let shown: unknown = null;
    const all = await stored();
    all.forEach((event, index) => {
      if (event.type !== 'state') return;
      const { qr: now } = event.data as { qr: unknown };
      const isChange = JSON.stringify(now) !== JSON.stringify(shown);
      assert.equal(all[index + 1]?.type === 'qr', isChange, `event ${index}`);
      shown = now;
    });
  });

  it('replaces a state that cannot be read', async () => {
    await redis.set(keys.state, Buffer.from([0x7b, 0xff, 0xfe]));
    const writer = await claimToWrite(redis);
    assert.equal(await writer.publish({ state: 'ready' }), true);
  });

  it('keeps exactly so many, the newest', async () => {
    const writer = await claimToWrite(redis);
    const bodies = Array.from({ length: bounds.events + 250 }, (_, index) => String(index));
    for (let start = 0; start < bodies.length; start += 1_000) {
      await writer.messages(...bodies.slice(start, start + 1_000));
    }
    const kept = await stored();
    assert.equal(kept.length, bounds.events);
    assert.equal(bodyOf(kept[0]), '250');
    await writer.messages('one more');
    assert.equal(await redis.xlen(keys.events), bounds.events);
  });

  it('keeps nothing for longer than a day', async () => {
    const old = Date.now() - 86_400_000;
    await redis.xadd(keys.events, `${old - 60_000}-0`, 'type', 'message', 'event', '{}');
    await redis.xadd(keys.events, `${old + 60_000}-0`, 'type', 'message', 'event', '{}');
    await (await claimToWrite(redis)).messages('new');
    const kept = await redis.xrange(keys.events, '-', '+');
    assert.deepEqual([kept.length, kept[0]?.[0]], [2, `${old + 60_000}-0`]);
  });

  describe('in bytes', () => {
    /** Bytes of the events that are kept, as Redis has them. */
    async function keptBytes(): Promise<number[]> {
      const kept = await redis.xrange(keys.events, '-', '+');
      return kept.map(([, fields]) => Buffer.byteLength(fields[fields.indexOf('event') + 1] ?? ''));
    }
    const sum = (sizes: number[]) => sizes.reduce((all, size) => all + size, 0);
    const long = '€'.repeat(65_536);
    const batch = Array.from({ length: 50 }, () => long);
    const batches = Math.ceil(bounds.eventBytes / bounds.eventSize / batch.length);

    it('keeps so many, and drops the oldest for the next one', async () => {
      const writer = await claimToWrite(redis);
      for (let n = 0; n < batches; n++) await writer.messages(...batch);
      const full = await keptBytes();
      assert.ok(sum(full) <= bounds.eventBytes && sum(full) > bounds.eventBytes - bounds.eventSize);
      assert.ok(full.length < batches * batch.length, 'the control: all of them are more');
      await writer.messages('short');
      const sizes = await keptBytes();
      assert.ok(sum(sizes) <= bounds.eventBytes && sizes.length >= full.length);
      await writer.messages(...Array.from({ length: 2_000 }, (_, n) => String(n)));
      assert.ok(sum(await keptBytes()) <= bounds.eventBytes);
      assert.equal(bodyOf((await stored()).at(-1)), '1999');
    });

    it('counts what an earlier version wrote without counting, whoever wrote in between', async () => {
      const event = JSON.stringify({ type: 'message', session: 'default', at: '', data: { body: long } });
      const writeAsBefore = (n: number) =>
        redis.xadd(keys.events, '*', 'type', 'message', 'event', event + n);
      for (let n = 0; n < 450; n++) await writeAsBefore(n);
      assert.ok(sum(await keptBytes()) > bounds.eventBytes, 'the control');
      const writer = await claimToWrite(redis);
      await writer.messages('new');
      const after = await keptBytes();
      assert.ok(sum(after) <= bounds.eventBytes && sum(after) > bounds.eventBytes - 2 * event.length * 3);
      for (let n = 0; n < 50; n++) await writeAsBefore(n);
      await writer.messages('newer');
      assert.ok(sum(await keptBytes()) <= bounds.eventBytes);
      assert.equal(await redis.xlen(keys.events), (await keptBytes()).length);
      for (let n = 0; n < batches; n++) await writer.messages(...batch);
      assert.ok(sum(await keptBytes()) <= bounds.eventBytes);
    });

    it('is brought within its bounds by an owner that begins', async () => {
      const event = 'x'.repeat(400_000);
      for (let n = 0; n < 200; n++) await redis.xadd(keys.events, '*', 'type', 'message', 'event', event);
      await trimEvents(redis, 'default');
      assert.equal((await keptBytes()).length, Math.floor(bounds.eventBytes / event.length));
    });

    it('takes an entry that is none of ours for what it is', async () => {
      const writer = await claimToWrite(redis);
      await writer.messages('1');
      await redis.xadd(keys.events, '*', 'total', '9'.repeat(40), 'odd', 'x');
      await redis.xadd(keys.events, '*', 'type', 'message');
      await writer.messages('2', '3');
      assert.equal(await redis.xlen(keys.events), 5);
    });

    it('reads a page of them, one at least', async () => {
      const writer = await claimToWrite(redis);
      await writer.messages(...batch);
      const { entries, lastId } = await readEvents(redis, 'default', '-', 100);
      const bytes = sum(entries.map(({ json }) => Buffer.byteLength(json)));
      assert.ok(bytes <= bounds.eventPage && bytes > bounds.eventPage - 2 * bounds.eventSize, `${bytes}`);
      const huge = JSON.stringify({ body: 'x'.repeat(bounds.eventPage) });
      await redis.xadd(keys.events, '*', 'type', 'message', 'event', huge);
      const { entries: last } = await readEvents(redis, 'default', lastId ?? '-', 100);
      assert.deepEqual([last.length, last[0]?.json.length], [1, huge.length]);
    });
  });

  describe('from the session worker', () => {
    const log = pino({ level: 'silent' });

    function relayOf(run: { epoch: number; incarnation: number }): EventRelay {
      const relay = new EventRelay(redis, () => ({ ...facts, ...run, supervisor: 's' }), log);
      relays.push(relay);
      return relay;
    }

    const told = (body: string) => ({ type: 'message', data: message(body) }) as const;

    it('come in order, and nothing after the stop', async () => {
      const { fence } = await claimToWrite(redis);
      const relay = relayOf(fence);
      await relay.add([
        told('1'),
        { type: 'message_ack', data: { id: 'mine', chat_id: 'c', ack: 2 } },
        told('2'),
      ]);
      await relay.stop();
      assert.deepEqual(
        (await stored()).map(({ type, data }) => [type, (data as Message).body ?? 'ack']),
        [
          ['message', '1'],
          ['message_ack', 'ack'],
          ['message', '2'],
        ],
      );
      await assert.rejects(relay.add([told('after the stop')]));
      assert.equal((await stored()).length, 3);
    });

    it('take no more than their bound each, and say that it was met', async () => {
      const { fence } = await claimToWrite(redis);
      const met: BoundName[] = [];
      const run = { ...facts, ...fence, supervisor: 's' };
      const relay = new EventRelay(
        redis,
        () => run,
        log,
        (bound) => met.push(bound),
      );
      relays.push(relay);
      await relay.add([told('short'), told('€'.repeat(65_536)), told('last')]);
      const events = await stored();
      const data = events.map((event) => event.data as Message);
      assert.deepEqual(
        data.map(({ is_truncated }) => is_truncated),
        [false, true, false],
      );
      assert.ok(events.every((event) => Buffer.byteLength(JSON.stringify(event)) <= bounds.eventSize));
      assert.deepEqual(met, ['eventSize']);
    });

    it('wait for a new fence, and end with the thread when there is none', async () => {
      const lost = await claimToWrite(redis);
      const run = { ...lost.fence };
      const relay = relayOf(run);
      const { fence } = await claimToWrite(redis);
      const first = relay.add([told('1')]);
      await eventually(async () => (await redis.xlen(keys.events)) === 0);
      Object.assign(run, fence);
      await first;
      assert.equal(await redis.xlen(keys.events), 1);
      Object.assign(run, lost.fence);
      const refused = assert.rejects(relay.add([told('2')]));
      await relay.stop();
      await refused;
      assert.equal(await redis.xlen(keys.events), 1);
    });

    it('wait while Redis is away, all of them and in order, and so does whoever brings them', async () => {
      await server.kill();
      const run = { epoch: 0, incarnation: 0 };
      const relay = relayOf(run);
      const bodies = Array.from({ length: 1_500 }, (_, n) => String(n));
      let isTaken = false;
      const added = relay.add(bodies.map(told)).then(() => {
        isTaken = true;
      });
      await server.restart();
      // Redis has lost its data, the fence among it: nothing is taken before a run claims anew.
      await eventually(() => redis.status === 'ready');
      await redis.ping();
      assert.equal(isTaken, false);
      Object.assign(run, (await claimToWrite(redis)).fence);
      await added;
      assert.deepEqual((await stored()).map(bodyOf), bodies);
    });
  });
});

function bodyOf(event: SessionEvent | undefined): string | undefined {
  return (event?.data as Message | undefined)?.body;
}

function message(body: string): Message {
  const ends = { from: '491511234567@c.us', to: '491517654321@c.us', author: null };
  return {
    ...{ id: `id-${body}`, ...ends, from_me: false, type: 'chat', body, timestamp: 1 },
    has_media: false,
    chat_id: ends.from,
    sender: { id: ends.from, phone: '491511234567', lid: null, name: null },
    is_truncated: false,
  };
}
