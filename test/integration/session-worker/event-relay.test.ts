import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import type { BoundName } from '../../../src/contract/bounds.js';
import type { SessionEvent } from '../../../src/contract/events.js';
import { sessionKeys } from '../../../src/contract/keys.js';
import type { Message } from '../../../src/contract/whatsapp.js';
import { EventRelay } from '../../../src/session-worker/event-relay.js';
import { claimToWrite } from '../../support/event-writer.js';
import { eventually } from '../../support/eventually.js';
import { onBound } from '../../support/on-bound.js';
import { type RedisServer, startRedis } from '../../support/redis-server.js';

const keys = sessionKeys('default');
/** In bytes. */
const eventSize = 65_536;
const facts = { auth_dir: '', chrome_executable: '', headless: true, session: 'default', restarts: 0 };

describe('events from the session worker', () => {
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

  const log = pino({ level: 'silent' });

  function relayOf(run: { epoch: number; incarnation: number }): EventRelay {
    const relay = new EventRelay(redis, () => ({ ...facts, ...run, supervisor: 's' }), log, onBound);
    relays.push(relay);
    return relay;
  }

  async function stored(): Promise<SessionEvent[]> {
    const entries = await redis.xrange(keys.events, '-', '+');
    return entries.map(([, fields]) => JSON.parse(fields[fields.indexOf('event') + 1] ?? '') as SessionEvent);
  }

  const messageEvent = (body: string) => ({ type: 'message', data: message(body) }) as const;

  it('are added in order, and refused after the stop', async () => {
    const { fence } = await claimToWrite(redis);
    const relay = relayOf(fence);
    await relay.add([
      messageEvent('1'),
      { type: 'message_ack', data: { id: 'mine', chat_id: 'c', ack: 2 } },
      messageEvent('2'),
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
    await assert.rejects(relay.add([messageEvent('after the stop')]));
    assert.equal((await stored()).length, 3);
  });

  it('are cut to their bound, which counts as reached', async () => {
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
    await relay.add([messageEvent('short'), messageEvent('€'.repeat(65_536)), messageEvent('last')]);
    const events = await stored();
    const data = events.map((event) => event.data as Message);
    assert.deepEqual(
      data.map(({ is_truncated }) => is_truncated),
      [false, true, false],
    );
    assert.ok(events.every((event) => Buffer.byteLength(JSON.stringify(event)) <= eventSize));
    assert.deepEqual(met, ['eventSize']);
  });

  it('wait for a new fence, and are refused when the thread ends without one', async () => {
    const lost = await claimToWrite(redis);
    const run = { ...lost.fence };
    const relay = relayOf(run);
    const { fence } = await claimToWrite(redis);
    const first = relay.add([messageEvent('1')]);
    await eventually(async () => (await redis.xlen(keys.events)) === 0);
    Object.assign(run, fence);
    await first;
    assert.equal(await redis.xlen(keys.events), 1);
    Object.assign(run, lost.fence);
    const refused = assert.rejects(relay.add([messageEvent('2')]));
    await relay.stop();
    await refused;
    assert.equal(await redis.xlen(keys.events), 1);
  });

  it('wait in order while Redis is down, and so does their sender', async () => {
    await server.kill();
    const run = { epoch: 0, incarnation: 0 };
    const relay = relayOf(run);
    const bodies = Array.from({ length: 1_500 }, (_, n) => String(n));
    let isTaken = false;
    const added = relay.add(bodies.map(messageEvent)).then(() => {
      isTaken = true;
    });
    await server.restart();
    // Redis has lost its data and with it the fence: it accepts nothing before a run claims again.
    await eventually(() => redis.status === 'ready');
    await redis.ping();
    assert.equal(isTaken, false);
    Object.assign(run, (await claimToWrite(redis)).fence);
    await added;
    assert.deepEqual(
      (await stored()).map(({ data }) => (data as Message).body),
      bodies,
    );
  });
});

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
