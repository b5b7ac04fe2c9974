import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { sessionKeys } from '../../../../src/contract/keys.js';
import type { SessionState, Status } from '../../../../src/contract/status.js';
import { ownerGoneSentence } from '../../../../src/contract/status.js';
import { deferred } from '../../../../src/platform/deadline.js';
import { type EventClient, listenToEvents } from '../../../support/event-client.js';
import { claimToWrite } from '../../../support/event-writer.js';
import { eventually } from '../../../support/eventually.js';
import { type FaultProxy, startFaultProxy } from '../../../support/fault-proxy.js';
import { outageTiming, type Replica, startReplica } from '../../../support/http-replica.js';
import { assertNothingLeft } from '../../../support/leftovers.js';
import { timesMet } from '../../../support/raw-connection.js';
import { type RedisServer, startRedis } from '../../../support/redis-server.js';
import { type ScriptedOwner, type ScriptedRun, startOwner } from '../../../support/scripted-owner.js';

const account = { wid: '491511234567@c.us', pushname: 'Ada', platform: 'android' };
const feedTuning = {
  pingIntervalMs: 100,
  ownerCheckIntervalMs: 50,
  maxBufferedBytes: 100_000,
  readDeadlineMs: 6_000,
  lingerMs: 50,
};

describe('event streams under faults', () => {
  let server: RedisServer;
  let proxy: FaultProxy;
  let redis: Redis;
  let replica: Replica;
  const clients: EventClient[] = [];
  const owners: ScriptedOwner[] = [];

  before(async () => {
    server = await startRedis({ appendOnly: true });
    proxy = await startFaultProxy(server.port);
    redis = new Redis(server.url, { maxRetriesPerRequest: null, retryStrategy: () => 50 });
    redis.on('error', () => undefined);
  });
  // Each test has its own replica: one that already followed the stream would not notice the flush.
  beforeEach(async () => {
    await redis.flushall();
    replica = await startReplica(`redis://127.0.0.1:${proxy.port}`, { feedTuning, timing: outageTiming });
  });
  afterEach(async () => {
    proxy.open();
    for (const client of clients.splice(0)) client.close();
    for (const owner of owners.splice(0)) await owner.close();
    await replica.close();
  });
  after(async () => {
    redis.disconnect();
    await proxy.close();
    await server.stop();
    await assertNothingLeft();
  });

  async function listen(options: Parameters<typeof listenToEvents>[1] = {}): Promise<EventClient> {
    const client = await listenToEvents(replica.url, options);
    clients.push(client);
    return client;
  }

  async function owned(script: (run: ScriptedRun) => Promise<void>): Promise<ScriptedOwner> {
    const owner = await startOwner(server.url, script);
    owners.push(owner);
    return owner;
  }

  it('send every state of a run in order, and no others: the control', async () => {
    await owned(async (run) => {
      await run.publish('starting');
      for (const qrNumber of [1, 2, 3]) await run.publish('qr', { qrText: `code ${qrNumber}`, qrNumber });
      await run.publish('authenticated');
      await run.publish('ready', { account });
      const intent = await run.intent;
      await run.end('stopped', { intent, unlinked: true });
    });
    const client = await listen();
    await replica.post('/api/auth/start');
    await eventually(() => states(client).at(-1) === 'ready');
    assert.equal((await replica.post('/api/logout')).status, 200);
    await eventually(() => states(client).at(-1) === 'stopped');
    const before: SessionState[] = ['starting', 'qr', 'qr', 'qr', 'authenticated'];
    assert.deepEqual(states(client), [...before, 'ready', 'stopped']);
    assert.ok(client.events.every(({ id }) => id !== null));
    const accounts = () => client.events.filter(({ type }) => type === 'account');
    await eventually(() => accounts().length === 2);
    assert.deepEqual(
      accounts().map(({ body }) => body.data),
      [account, null],
    );
    const { updated_at } = await replica.status();
    assert.equal(lastStatus(client).updated_at, updated_at);
  });

  it('go on after a restart of Redis, without loss or duplicate', async () => {
    const writer = await claimToWrite(redis);
    const client = await listen();
    await writer.messages('1');
    await client.untilCount(1);
    await server.kill();
    const pings = () => client.blocks.filter((block) => block.startsWith(': ping')).length;
    const before = pings();
    await eventually(() => pings() > before + 1, { message: 'pings go on' });
    assert.equal((await replica.get('/api/events')).status, 503);
    await server.restart();
    await writer.messages('2', '3');
    await client.untilCount(3);
    await writer.messages('4');
    assert.deepEqual(bodies(await client.untilCount(4)), ['1', '2', '3', '4']);
  });

  it('go on after a partition in which other clients came and went', async () => {
    const writer = await claimToWrite(redis);
    const client = await listen();
    await writer.messages('1');
    await client.untilCount(1);
    proxy.freeze();
    await writer.messages('2', '3');
    assert.equal((await replica.get('/api/events')).status, 503);
    proxy.open();
    await client.untilCount(3, 60_000);
    await writer.messages('4');
    assert.deepEqual(bodies(await client.untilCount(4)), ['1', '2', '3', '4']);
  });

  it('send a gap when an outage lost more events than are kept', async () => {
    const writer = await claimToWrite(redis);
    const client = await listen();
    await writer.messages('1');
    await client.untilCount(1);
    proxy.cut();
    await writer.messages('2', '3', '4');
    await redis.xtrim(sessionKeys('default').events, 'MAXLEN', '=', 2);
    proxy.open();
    const [, gap, ...rest] = await client.untilCount(4);
    assert.deepEqual(gap?.body.data, { oldest_id: rest[0]?.id });
    assert.deepEqual(bodies(rest), ['3', '4']);
  });

  it('resume a catch-up that Redis interrupted', async () => {
    const writer = await claimToWrite(redis);
    const long = 'x'.repeat(5_000);
    const all = Array.from({ length: 1_000 }, (_, index) => `${index} ${long}`);
    await writer.messages('0');
    for (let start = 0; start < all.length; start += 250) {
      await writer.messages(...all.slice(start, start + 250));
    }
    const client = await listen({ lastEventId: '1-0' });
    await client.untilCount(50);
    proxy.cut();
    await eventually(async () => (await replica.get('/readyz')).status === 503);
    proxy.open();
    const [gap, , ...rest] = await client.untilCount(1_002, 60_000);
    assert.equal(gap?.type, 'gap');
    assert.deepEqual(bodies(rest), all);
  });

  for (const [when, isResuming] of [
    ['live', false],
    ['catching up', true],
  ] as const) {
    it(`are closed for a client that does not read, ${when}, and go on for others`, async () => {
      const writer = await claimToWrite(redis);
      const batch = Array.from({ length: 100 }, () => 'x'.repeat(20_000));
      await writer.messages('first');
      const good = await listen();
      /** Writes no faster than the reading client reads. */
      const writeAll = async () => {
        for (let n = 1; n <= 15; n++) {
          await writer.messages(...batch);
          await good.untilCount(n * batch.length);
        }
      };
      if (isResuming) await writeAll();
      const cutOffBefore = await timesMet(replica, 'streamBacklog');
      const slow = await listen(isResuming ? { lastEventId: '1-0' } : {});
      slow.pause();
      if (!isResuming) await writeAll();
      await eventually(() => replica.logLines.some((line) => /did not read/.test(String(line.msg))), {
        timeoutMs: 30_000,
      });
      assert.equal(good.events.length, 1_500);
      assert.equal(good.hasEnded, false);
      slow.resume();
      await slow.untilEnd();
      assert.ok(slow.events.length < 1_500);
      assert.equal(await timesMet(replica, 'streamBacklog'), cutOffBefore + 1);
    });
  }

  it('send a slow client everything it missed', async () => {
    const writer = await claimToWrite(redis);
    for (let n = 0; n < 10; n++)
      await writer.messages(...Array.from({ length: 100 }, () => 'x'.repeat(20_000)));
    const startedAt = performance.now();
    const client = await listen({ lastEventId: '1-0' });
    for (let page = 1; page <= 10; page++) {
      await client.untilCount(page * 100);
      client.pause();
      await new Promise((done) => setTimeout(done, feedTuning.readDeadlineMs / 8));
      client.resume();
    }
    await client.untilCount(1_001);
    assert.equal(client.hasEnded, false);
    assert.ok(
      performance.now() - startedAt > feedTuning.readDeadlineMs,
      'the deadline is for a page, not for the whole',
    );
  });

  it('send once that the owner is gone, as the status says, and then the states of the next owner', async () => {
    const gone = deferred<void>();
    const owner = await owned(async (run) => {
      await run.publish('ready', { account });
      await gone.promise;
      await run.fallSilent();
      await new Promise(() => undefined);
    });
    await replica.post('/api/auth/start');
    const client = await listen();
    const early = await listen({ lastEventId: '1-0' });
    gone.resolve();
    for (const listener of [client, early]) {
      await eventually(() => states(listener).at(-1) === 'disconnected');
      assert.equal(listener.events.at(-1)?.id, null);
      assert.equal(lastStatus(listener).last_error, ownerGoneSentence);
      assert.deepEqual(lastStatus(listener), await replica.status());
    }
    // A client that resumes meanwhile is sent it too, after what it missed; a new client asks for the status.
    const back = await listen({ lastEventId: client.lastEventId });
    await back.untilCount(1);
    assert.deepEqual(states(back), ['disconnected']);
    const fresh = await listen();
    await owner.crash();
    await owned(async (run) => {
      await run.publish('starting');
      await run.publish('ready', { account });
      await run.intent;
    });
    for (const listener of [client, back, fresh]) {
      await eventually(() => states(listener).at(-1) === 'ready');
    }
    assert.deepEqual(states(client), ['disconnected', 'starting', 'ready']);
    assert.deepEqual(states(back), ['disconnected', 'starting', 'ready']);
    assert.deepEqual(states(fresh), ['starting', 'ready']);
  });

  it('send the state again when the heartbeat of the owner returns', async () => {
    const writer = await claimToWrite(redis);
    const qr = { number: 1, issued_at: new Date().toISOString(), expires_at: null };
    await writer.publish({ state: 'qr', qr });
    const client = await listen();
    await redis.del('{wa}:s:default:heartbeat');
    await client.untilCount(2);
    await redis.set('{wa}:s:default:heartbeat', 'live');
    await client.untilCount(4);
    assert.deepEqual(
      client.events.map(({ type, body }) => [type, (body.data as Status).state ?? 'qr']),
      [
        ['state', 'disconnected'],
        ['qr', 'qr'],
        ['state', 'qr'],
        ['qr', 'qr'],
      ],
    );
    assert.deepEqual(lastStatus(client), await replica.status());
  });
});

function states(client: EventClient): SessionState[] {
  return client.events.filter(({ type }) => type === 'state').map(({ body }) => (body.data as Status).state);
}

function lastStatus(client: EventClient): Status {
  return client.events.findLast(({ type }) => type === 'state')?.body.data as Status;
}

function bodies(events: EventClient['events']): string[] {
  return events.map(({ body }) => (body.data as { body: string }).body);
}
