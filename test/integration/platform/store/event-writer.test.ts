import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import type { SessionEvent } from '../../../../src/contract/events.js';
import { eventIndexKey, sessionKeys } from '../../../../src/contract/keys.js';
import { composeStatus } from '../../../../src/contract/status.js';
import type { Message } from '../../../../src/contract/whatsapp.js';
import { bothAt } from '../../../../src/platform/store/event-positions.js';
import { readEvents } from '../../../../src/platform/store/event-stream.js';
import { trimEvents } from '../../../../src/platform/store/event-writer.js';
import { endRun } from '../../../../src/platform/store/state-store.js';
import { quarantineUnusableKeys } from '../../../../src/platform/store/unusable-keys.js';
import { claimToWrite } from '../../../support/event-writer.js';
import { onBound } from '../../../support/on-bound.js';
import { openRedis, type RedisForData } from '../../../support/shared-redis.js';

const keys = sessionKeys('default');
/** In bytes. */
const eventBytes = 67_108_864;
const eventSize = 65_536;
const eventPage = 262_144;
const facts = { auth_dir: '', chrome_executable: '', headless: true, session: 'default', restarts: 0 };

describe('events in Redis', () => {
  let server: RedisForData;
  let redis: Redis;

  before(async () => {
    server = await openRedis();
    redis = new Redis(server.url);
  });
  beforeEach(async () => {
    await redis.flushdb();
  });
  after(async () => {
    redis.disconnect();
    await server.stop();
  });

  async function stored(): Promise<SessionEvent[]> {
    const events: SessionEvent[] = [];
    for (let after = '-'; ; ) {
      const { entries } = await readEvents(redis, ['default'], bothAt(after), 20_000);
      events.push(...entries.map(({ json }) => JSON.parse(json) as SessionEvent));
      const last = entries.at(-1);
      if (last === undefined) return events;
      after = last.id;
    }
  }

  it('are not added by a refused write', async () => {
    const stale = await claimToWrite(redis);
    const current = await claimToWrite(redis);
    assert.equal(await stale.publish({ state: 'ready' }), false);
    assert.equal(await stale.messages('late'), false);
    const status = composeStatus(
      { ...facts, ...stale.fence, supervisor: null },
      { state: 'stopped', lastError: null, account: null },
      new Date().toISOString(),
    );
    const end = { session: 'default', expected: stale.fence, status, startId: '', intent: null, onBound };
    assert.equal(await endRun(redis, { ...end, unlinked: false }), false);
    assert.deepEqual(await stored(), []);
    assert.equal(await current.publish({ state: 'ready' }), true, 'the control');
    assert.equal(await endRun(redis, { ...end, expected: current.fence, unlinked: false }), true);
    assert.deepEqual(
      (await stored()).map(({ type }) => type),
      ['state', 'state'],
    );
  });

  it('report changes against the state in Redis, whoever wrote it', async () => {
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

  it('are composed again after a concurrent write', async () => {
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

  it('are added when the state in Redis is unreadable, which is replaced', async () => {
    await redis.set(keys.state, Buffer.from([0x7b, 0xff, 0xfe]));
    const writer = await claimToWrite(redis);
    assert.equal(await writer.publish({ state: 'ready' }), true);
  });

  it('are at most 10,000, the newest', async () => {
    const writer = await claimToWrite(redis);
    const bodies = Array.from({ length: 10_250 }, (_, index) => String(index));
    for (let start = 0; start < bodies.length; start += 1_000) {
      await writer.messages(...bodies.slice(start, start + 1_000));
    }
    const kept = await stored();
    assert.equal(kept.length, 10_000);
    assert.equal(bodyOf(kept[0]), '250');
    await writer.messages('one more');
    assert.equal(await redis.xlen(keys.events), 10_000);
  });

  it('are kept for a day', async () => {
    const old = Date.now() - 86_400_000;
    await redis.xadd(keys.events, `${old - 60_000}-0`, 'type', 'message', 'event', '{}');
    await redis.xadd(keys.events, `${old + 60_000}-0`, 'type', 'message', 'event', '{}');
    await (await claimToWrite(redis)).messages('new');
    const kept = await redis.xrange(keys.events, '-', '+');
    assert.deepEqual([kept.length, kept[0]?.[0]], [2, `${old + 60_000}-0`]);
  });

  describe('in the index', () => {
    async function indexed(): Promise<[id: string, session: string, isFirst: boolean][]> {
      const entries = await redis.xrange(eventIndexKey, '-', '+');
      return entries.map(([id, [, session = '', first]]) => [id, session, first === 'first']);
    }
    async function storedIds(session: string): Promise<string[]> {
      return (await redis.xrange(sessionKeys(session).events, '-', '+')).map(([id]) => id);
    }
    /** Each session's stream has the entries of the index, under the same ids. */
    async function assertSameIds(...sessions: string[]): Promise<void> {
      const all = await indexed();
      for (const session of sessions) {
        const ids = all.filter(([, of]) => of === session).map(([id]) => id);
        assert.deepEqual(ids, await storedIds(session));
      }
    }

    it('have the ids of their streams, which increase over all sessions', async () => {
      const [a, b] = [await claimToWrite(redis, 'a'), await claimToWrite(redis, 'b')];
      await a.publish({ state: 'ready' });
      await Promise.all(Array.from({ length: 30 }, (_, n) => (n % 3 ? a : b).messages(`${n}`, `${n}+`)));
      await assertSameIds('a', 'b');
      assert.equal((await indexed()).length, 61);
      assert.deepEqual(
        (await indexed()).map(([, , isFirst]) => isFirst),
        [true, ...Array.from({ length: 60 }, () => false)],
      );
      await (await claimToWrite(redis, 'a')).publish({ state: 'stopped' });
      await assertSameIds('a', 'b');
    });

    it('are added after a stream that is ahead of the index, and the other way round', async () => {
      const [a, b] = [await claimToWrite(redis, 'a'), await claimToWrite(redis, 'b')];
      await redis.xadd(sessionKeys('a').events, '9999999999999-7', 'type', 'message', 'event', '{}');
      await a.messages('after the stream', 'and again');
      await b.messages('after the index');
      const ids = (await indexed()).map(([id]) => id);
      assert.deepEqual(ids, ['9999999999999-8', '9999999999999-9', '9999999999999-10']);
      assert.deepEqual((await storedIds('a')).slice(1), ids.slice(0, 2));
      assert.deepEqual(await storedIds('b'), ids.slice(2));
    });

    it('go on when Redis has lost the index', async () => {
      const a = await claimToWrite(redis, 'a');
      await a.messages('1', '2');
      await redis.del(eventIndexKey);
      await a.messages('3', '4');
      assert.deepEqual(
        (await indexed()).map(([id]) => id),
        (await storedIds('a')).slice(2),
      );
      assert.equal((await indexed())[0]?.[2], true);
    });

    it('are not added by a refused write', async () => {
      const stale = await claimToWrite(redis, 'a');
      const current = await claimToWrite(redis, 'a');
      await stale.messages('late');
      assert.deepEqual(await indexed(), []);
      await current.messages('the control');
      assert.equal((await indexed()).length, 1);
    });

    it('are kept for a day', async () => {
      const old = Date.now() - 2 * 86_400_000;
      const pipeline = redis.pipeline();
      for (let n = 0; n < 1_000; n++) pipeline.xadd(eventIndexKey, `${old}-${n}`, 's', 'a');
      await pipeline.exec();
      await (await claimToWrite(redis, 'a')).messages('new');
      // Redis trims the index by whole nodes of 100 entries.
      assert.ok((await indexed()).length <= 100);
    });

    it('are added when the index is unusable, which goes into quarantine', async () => {
      const a = await claimToWrite(redis, 'a');
      await redis.set(eventIndexKey, 'no stream');
      await a.publish({ state: 'ready' });
      await assertSameIds('a');
      await redis.xadd(eventIndexKey, '18446744073709551615-18446744073709551615', 's', 'a');
      await assert.rejects(a.messages('no id can follow'));
      await quarantineUnusableKeys(redis, 'a');
      assert.equal(await a.messages('again'), true);
      assert.deepEqual(
        (await indexed()).map(([id]) => id),
        (await storedIds('a')).slice(-1),
      );
    });
  });

  describe('in bytes', () => {
    /** Bytes of each event in the stream. */
    async function keptBytes(): Promise<number[]> {
      const kept = await redis.xrange(keys.events, '-', '+');
      return kept.map(([, fields]) => Buffer.byteLength(fields[fields.indexOf('event') + 1] ?? ''));
    }
    const sum = (sizes: number[]) => sizes.reduce((all, size) => all + size, 0);
    const long = '€'.repeat(65_536);
    const batch = Array.from({ length: 50 }, () => long);
    const batches = Math.ceil(eventBytes / eventSize / batch.length);

    it('are at most 64 MiB: the next event drops the oldest', async () => {
      const writer = await claimToWrite(redis);
      for (let n = 0; n < batches; n++) await writer.messages(...batch);
      const full = await keptBytes();
      assert.ok(sum(full) <= eventBytes && sum(full) > eventBytes - eventSize);
      assert.ok(full.length < batches * batch.length, 'the control: all of them are more');
      await writer.messages('short');
      const sizes = await keptBytes();
      assert.ok(sum(sizes) <= eventBytes && sizes.length >= full.length);
      await writer.messages(...Array.from({ length: 2_000 }, (_, n) => String(n)));
      assert.ok(sum(await keptBytes()) <= eventBytes);
      assert.equal(bodyOf((await stored()).at(-1)), '1999');
    });

    it('are counted for events of an earlier version too', async () => {
      const event = JSON.stringify({ type: 'message', session: 'default', at: '', data: { body: long } });
      const writeAsBefore = (n: number) =>
        redis.xadd(keys.events, '*', 'type', 'message', 'event', event + n);
      for (let n = 0; n < 450; n++) await writeAsBefore(n);
      assert.ok(sum(await keptBytes()) > eventBytes, 'the control');
      const writer = await claimToWrite(redis);
      await writer.messages('new');
      const after = await keptBytes();
      assert.ok(sum(after) <= eventBytes && sum(after) > eventBytes - 2 * event.length * 3);
      for (let n = 0; n < 50; n++) await writeAsBefore(n);
      await writer.messages('newer');
      assert.ok(sum(await keptBytes()) <= eventBytes);
      assert.equal(await redis.xlen(keys.events), (await keptBytes()).length);
      for (let n = 0; n < batches; n++) await writer.messages(...batch);
      assert.ok(sum(await keptBytes()) <= eventBytes);
    });

    it('are trimmed to the bound at the start of an owner', async () => {
      const event = 'x'.repeat(400_000);
      for (let n = 0; n < 200; n++) await redis.xadd(keys.events, '*', 'type', 'message', 'event', event);
      await trimEvents(redis, 'default');
      assert.equal((await keptBytes()).length, Math.floor(eventBytes / event.length));
    });

    it('are counted past a foreign entry', async () => {
      const writer = await claimToWrite(redis);
      await writer.messages('1');
      await redis.xadd(keys.events, '*', 'total', '9'.repeat(40), 'odd', 'x');
      await redis.xadd(keys.events, '*', 'type', 'message');
      await writer.messages('2', '3');
      assert.equal(await redis.xlen(keys.events), 5);
    });

    it('are read in pages of at least one event', async () => {
      const writer = await claimToWrite(redis);
      await writer.messages(...batch);
      const { entries, end } = await readEvents(redis, ['default'], bothAt('-'), 100);
      const bytes = sum(entries.map(({ json }) => Buffer.byteLength(json)));
      assert.ok(bytes <= eventPage && bytes > eventPage - 2 * eventSize, `${bytes}`);
      const huge = JSON.stringify({ body: 'x'.repeat(eventPage) });
      await redis.xadd(keys.events, '*', 'type', 'message', 'event', huge);
      const { entries: last } = await readEvents(redis, ['default'], end, 100);
      assert.deepEqual([last.length, last[0]?.json.length], [1, huge.length]);
    });
  });
});

function bodyOf(event: SessionEvent | undefined): string | undefined {
  return (event?.data as Message | undefined)?.body;
}
