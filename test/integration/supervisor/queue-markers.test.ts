import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, beforeEach, test } from 'node:test';
import { pino } from 'pino';
import { queueKey, supervisorWakeKey } from '../../../src/contract/keys.js';
import { sendsQueue, sessionsQueue } from '../../../src/contract/names.js';
import { timingSchema } from '../../../src/contract/timing.js';
import { pause } from '../../../src/platform/deadline.js';
import { connectPatiently, disconnect, type Redis } from '../../../src/platform/redis/connection.js';
import { type Marker, QueueMarkers } from '../../../src/supervisor/queue-markers.js';
import { StartMarker } from '../../../src/supervisor/start-marker.js';
import { eventually } from '../../support/eventually.js';
import { assertNothingLeft } from '../../support/leftovers.js';
import { startRedis } from '../../support/redis-server.js';

const server = await startRedis();
const log = pino({ level: 'silent' });
/** No read ends by itself within a test. */
const timing = timingSchema.parse({ drainDelayMs: 60_000, socketTimeoutMs: 70_000 });
const client = connectPatiently(server.url, timing, log);

beforeEach(async () => {
  await client.flushdb();
  // BullMQ writes it when a queue is opened.
  for (const queue of [sendsQueue('a'), sessionsQueue]) await client.hset(queueKey(queue, 'meta'), 'v', '1');
});

after(async () => {
  await disconnect(client);
  await server.stop();
  await assertNothingLeft();
});

interface Opened {
  readonly redis: Redis;
  readonly markers: QueueMarkers;
  readonly id: string;
}

async function withSupervisors(count: number, work: (...opened: Opened[]) => Promise<void>): Promise<void> {
  const opened = Array.from({ length: count }, () => {
    const redis = connectPatiently(server.url, timing, log);
    const id = randomUUID();
    return { redis, id, markers: new QueueMarkers({ redis, supervisorId: id, timing, log }) };
  });
  try {
    await work(...opened);
  } finally {
    for (const { markers } of opened) markers.close();
    await Promise.all(opened.map(({ redis }) => disconnect(redis)));
  }
}

const markerOf = (session: string) => queueKey(sendsQueue(session), 'marker');
const startMarker = queueKey(sessionsQueue, 'marker');

/** How many clients wait in a blocking read. */
async function blocked(): Promise<number> {
  return Number(/^blocked_clients:(\d+)/m.exec(await client.info('clients'))?.[1]);
}

/** Counts what is told of a queue, beyond what connecting tells. */
function counter(): { readonly told: Marker[]; readonly listener: (marker: Marker) => void } {
  const told: Marker[] = [];
  return { told, listener: (marker) => told.push(marker) };
}

test('one blocking read tells of each queue, also of those that are watched later', () =>
  withSupervisors(1, async ({ markers, id } = {} as Opened) => {
    const [a, b] = [counter(), counter()];
    markers.watch(markerOf('a'), a.listener);
    await eventually(async () => (await blocked()) === 1);
    markers.watch(markerOf('b'), b.listener);
    for (const [session, { told }] of [
      ['b', b],
      ['a', a],
    ] as const) {
      const before = told.length;
      await client.zadd(markerOf(session), 0, '0');
      await eventually(() => told.length > before);
    }
    assert.equal(await blocked(), 1);
    await eventually(async () => (await client.exists(supervisorWakeKey(id))) === 0);
  }));

test('a busy queue holds up no other', () =>
  withSupervisors(1, async ({ markers } = {} as Opened) => {
    let reads = 0;
    // Its marker is there again before the next read begins.
    const busy = () => {
      reads++;
      if (reads < 1_000) void client.zadd(markerOf('busy'), 0, '0');
    };
    const quiet = counter();
    await client.zadd(markerOf('busy'), 0, '0');
    markers.watch(markerOf('busy'), busy);
    await eventually(() => reads > 10);
    markers.watch(markerOf('quiet'), quiet.listener);
    await client.zadd(markerOf('quiet'), 0, '0');
    await eventually(() => quiet.told.length > 0);
    assert.ok(reads < 1_000, `${reads} reads`);
    await eventually(() => reads >= 1_000);
  }));

test('a marker that is read for a queue that has left goes back to the supervisor that watches it now', () =>
  withSupervisors(2, async (first = {} as Opened, second = {} as Opened) => {
    const before = counter();
    const stop = first.markers.watch(markerOf('a'), before.listener);
    await eventually(async () => (await blocked()) === 1);
    const { length } = before.told;
    stop();
    const now = counter();
    second.markers.watch(markerOf('a'), now.listener);
    await eventually(async () => (await blocked()) === 2);
    now.told.length = 0;
    // The first has waited for longer, so Redis gives the marker to it.
    await client.zadd(markerOf('a'), 42, 'any member');
    await eventually(() => now.told.some(({ score }) => score === 42));
    assert.ok(now.told.some(({ member }) => member === 'any member'));
    assert.equal(before.told.length, length);
  }));

test('starts are for others while a supervisor does not wait for one', () =>
  withSupervisors(2, async (first = {} as Opened, second = {} as Opened) => {
    const [mine, others] = [new StartMarker(first.markers), new StartMarker(second.markers)].map((marker) => {
      const options = { connection: client, prefix: '{wa}' };
      return marker.backend(sessionsQueue, options);
    });
    assert.ok(mine && others);
    // The first wait ends at once if the connection became ready since.
    const wait = mine.waitForJob(60);
    await client.zadd(startMarker, 0, '0');
    assert.deepEqual(await wait, { member: '0', score: 0 });
    // The first one reads this marker, but does not wait any more.
    const other = others.waitForJob(60);
    await client.zadd(startMarker, 0, '0');
    assert.deepEqual(await other, { member: '0', score: 0 });
    // A wait ends by itself, once nothing is left to tell, and when the worker closes.
    await eventually(async () => (await mine.waitForJob(0.01)) === null);
    const later = mine.waitForJob(60);
    await client.zadd(startMarker, 42, 'any member');
    assert.deepEqual(await later, { member: 'any member', score: 42 });
    const last = mine.waitForJob(60);
    await pause(1);
    await mine.disconnectBlocking();
    assert.equal(await last, null);
  }));

test('queues are told of again when the connection is back, since a marker may be lost with it', () =>
  withSupervisors(1, async ({ markers } = {} as Opened) => {
    const a = counter();
    markers.watch(markerOf('a'), a.listener);
    await eventually(async () => (await blocked()) === 1);
    const before = a.told.length;
    await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await eventually(() => a.told.length > before);
  }));

test('the marker of a deleted queue is not put back', () =>
  withSupervisors(1, async ({ markers } = {} as Opened) => {
    const a = counter();
    const stop = markers.watch(markerOf('a'), a.listener);
    await eventually(async () => (await blocked()) === 1);
    stop();
    await client.del(queueKey(sendsQueue('a'), 'meta'));
    await client.zadd(markerOf('a'), 0, '0');
    // Its next read has no queue, so none begins.
    await eventually(async () => (await blocked()) === 0);
    const b = counter();
    markers.watch(markerOf('b'), b.listener);
    await client.zadd(markerOf('b'), 0, '0');
    await eventually(() => b.told.length > 0);
    assert.equal(await client.exists(markerOf('a')), 0);
  }));
