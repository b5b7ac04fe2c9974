import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { sessionKeys } from '../../../../src/contract/keys.js';
import { type EventClient, listenToEvents } from '../../../support/event-client.js';
import { claimToWrite, type EventWriter } from '../../../support/event-writer.js';
import { type EventsServer, startEventsServer } from '../../../support/events-server.js';
import { eventually } from '../../../support/eventually.js';
import { type RedisServer, startRedis } from '../../../support/redis-server.js';

const sessionCount = 1_000;
const eventCount = 50;
/** Of the test itself, and that of the feed for everything but the blocking read. */
const ownConnections = 2;

describe(`the events of ${sessionCount} sessions`, () => {
  let server: RedisServer;
  let redis: Redis;
  let feedRedis: Redis;
  let served: EventsServer;
  const names = Array.from({ length: sessionCount }, (_, n) => `s${n}`);
  const writers: EventWriter[] = [];

  before(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
    feedRedis = new Redis(server.url);
    for (const name of names) {
      const writer = await claimToWrite(redis, name);
      await writer.publish({ state: 'ready' });
      writers.push(writer);
    }
  });
  after(async () => {
    redis.disconnect();
    feedRedis.disconnect();
    await server.stop();
  });

  /** Commands that Redis got, without those that a script calls. */
  async function commands(): Promise<Record<'evalsha' | 'xread' | 'mget', number>> {
    const stats = await redis.info('commandstats');
    const calls = (name: string) => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
    return { evalsha: calls('evalsha'), xread: calls('xread'), mget: calls('mget') };
  }

  async function connections(): Promise<number> {
    return ((await redis.client('LIST')) as string).trim().split('\n').length;
  }

  /** What it costs that one client follows these sessions. */
  async function costOf(sessions: readonly string[], query: string) {
    served = await startEventsServer(server.url, feedRedis, {
      ...{ ownerCheckIntervalMs: 600_000, pingIntervalMs: 600_000 },
    });
    for (const session of sessions) served.sessions.add(session);
    await eventually(async () => (await connections()) === ownConnections);
    const atStart = await commands();
    let client: EventClient | null = null;
    try {
      client = await listenToEvents(served.url, { query });
      await eventually(async () => (await connections()) > ownConnections);
      const connected = await commands();
      const followed = writers.slice(0, sessions.length);
      for (let n = 0; n < eventCount; n++) {
        await followed[n % followed.length]?.messages(`${n}`);
        await client.untilCount(n + 1);
      }
      const atEnd = await commands();
      return {
        connections: (await connections()) - ownConnections,
        toConnect: connected.evalsha - atStart.evalsha + connected.mget - atStart.mget,
        // Without the write itself.
        perEvent: (atEnd.evalsha - connected.evalsha) / eventCount - 1,
        readsPerEvent: (atEnd.xread - connected.xread) / eventCount,
      };
    } finally {
      client?.close();
      await served.close();
    }
  }

  it('cost as many connections and commands as those of one', async () => {
    const one = await costOf(names.slice(0, 1), '?sessions=s0');
    const all = await costOf(names, '?sessions=*');
    for (const [what, cost] of Object.entries({ one, all })) {
      assert.equal(cost.connections, 1, what);
      assert.ok(cost.toConnect <= 3, `${what}: ${cost.toConnect} commands to connect`);
      // An idle read may end in between; then the reader also looks whether Redis has lost something.
      assert.ok(cost.perEvent <= 1.3, `${what}: ${cost.perEvent} scripts for each event`);
      assert.ok(cost.readsPerEvent <= 1.3, `${what}: ${cost.readsPerEvent} reads for each event`);
    }
  });

  it('cost one command for each check of all owners, which finds each that is gone', async () => {
    const intervalMs = 100;
    served = await startEventsServer(server.url, feedRedis, { ownerCheckIntervalMs: intervalMs });
    for (const name of names) served.sessions.add(name);
    const client = await listenToEvents(served.url, { query: '?sessions=*&types=state' });
    try {
      const startedAt = performance.now();
      const before = await commands();
      await redis.del(sessionKeys('s7').heartbeat, sessionKeys('s999').heartbeat);
      const events = await client.untilCount(2);
      assert.deepEqual(events.map(({ body }) => body.session).sort(), ['s7', 's999']);
      await eventually(async () => (await commands()).mget > before.mget + 5);
      const checks = (performance.now() - startedAt) / intervalMs;
      assert.ok((await commands()).mget - before.mget <= checks + 2);
    } finally {
      client.close();
      await served.close();
    }
  });
});
