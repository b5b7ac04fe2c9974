import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, test } from 'node:test';
import type { Queue } from 'bullmq';
import { pino } from 'pino';
import { sessionKeys } from '../../../src/contract/keys.js';
import { sessionOfJobId, sessionsQueue } from '../../../src/contract/names.js';
import { timingSchema } from '../../../src/contract/timing.js';
import { deferred, pause } from '../../../src/platform/deadline.js';
import { openQueue } from '../../../src/platform/queues/job-queue.js';
import { addStart } from '../../../src/platform/queues/start-queue.js';
import { connectPatiently, disconnect, type Redis } from '../../../src/platform/redis/connection.js';
import { renewLock } from '../../../src/platform/store/run-store.js';
import { QueueMarkers } from '../../../src/supervisor/queue-markers.js';
import { RunIntake } from '../../../src/supervisor/run-intake.js';
import { eventually } from '../../support/eventually.js';
import { assertNothingLeft } from '../../support/leftovers.js';
import { startRedis } from '../../support/redis-server.js';
import { scaledTiming } from '../../support/scaled-timing.js';

/** How starts spread over supervisors. The intakes are real; a run only holds its lock. */

const server = await startRedis();
const timing = timingSchema.parse(scaledTiming);
const log = pino({ level: 'silent' });
/** How long the start of a session takes here. */
const startMs = 150;

after(async () => {
  await server.stop();
  await assertNothingLeft();
});

interface Room {
  readonly maxSessions: number;
  readonly maxStarts: number;
}

/** The intake of a supervisor, and the sessions that it has taken. */
class Intake {
  readonly taken: string[] = [];
  /** The most starts that were under way at a time. */
  mostStarts = 0;
  readonly #redis: Redis = connectPatiently(server.url, timing, log);
  readonly #markers = new QueueMarkers({ redis: this.#redis, supervisorId: randomUUID(), timing, log });
  readonly #intake: RunIntake;
  readonly #ended = deferred<void>();
  readonly #killed = new AbortController();
  readonly #running: Promise<void>;
  #starts = 0;

  constructor({ maxSessions, maxStarts }: Room) {
    this.#intake = new RunIntake({
      onStartsChanged: () => undefined,
      ...{ redis: this.#redis, markers: this.#markers, timing, concurrency: maxSessions, maxStarts, log },
      onDataError: () => undefined,
      process: (job, token, onStarted) => this.#run(sessionOfJobId(job.id ?? ''), token, onStarted),
    });
    this.#running = this.#intake.run();
  }

  async #run(session: string, token: string, onStarted: () => void): Promise<void> {
    this.taken.push(session);
    this.mostStarts = Math.max(this.mostStarts, ++this.#starts);
    const renew = () => void renewLock(this.#redis, session, token, timing.lockDurationMs).catch(() => false);
    const timer = setInterval(renew, timing.renewIntervalMs);
    this.#killed.signal.addEventListener('abort', () => clearInterval(timer));
    await pause(startMs);
    this.#starts--;
    onStarted();
    await this.#ended.promise;
    clearInterval(timer);
  }

  /** It takes nothing more and renews nothing more. */
  kill(): void {
    this.#killed.abort();
    void this.#intake.close();
  }

  async close(): Promise<void> {
    this.#ended.resolve();
    await this.#intake.close();
    await this.#running;
    this.#markers.close();
    await disconnect(this.#redis);
  }
}

async function withIntakes(
  work: (parts: {
    open(room: Room): Intake;
    add(count: number): Promise<string[]>;
    redis: Redis;
  }) => Promise<void>,
): Promise<void> {
  const redis = connectPatiently(server.url, timing, log);
  const queue: Queue = openQueue(sessionsQueue, redis);
  const intakes: Intake[] = [];
  let added = 0;
  try {
    await work({
      redis,
      open(room) {
        const intake = new Intake(room);
        intakes.push(intake);
        return intake;
      },
      async add(count) {
        const sessions = Array.from({ length: count }, () => `t-${++added}`);
        for (const session of sessions) await addStart(redis, queue, session);
        return sessions;
      },
    });
  } finally {
    await Promise.all(intakes.map((intake) => intake.close()));
    await queue.close();
    await redis.flushdb();
    await disconnect(redis);
  }
}

const sizes = (intakes: readonly Intake[]) => intakes.map(({ taken }) => taken.length);
const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

test('the sessions of a killed supervisor spread over the others within the life of a lock and 5 s', () =>
  withIntakes(async ({ open, add }) => {
    const intakes = [1, 2, 3].map(() => open({ maxSessions: 20, maxStarts: 2 }));
    await add(30);
    await eventually(() => sum(sizes(intakes)) === 30);
    for (const size of sizes(intakes)) assert.ok(size >= 5, `unevenly: ${sizes(intakes)}`);

    const [killed, ...others] = intakes;
    assert.ok(killed);
    const before = sizes(others);
    killed.kill();
    const killedAt = performance.now();
    await eventually(() => sum(sizes(others)) === 30, { timeoutMs: timing.lockDurationMs + 5_000 });
    const withinMs = performance.now() - killedAt;
    assert.ok(withinMs < timing.lockDurationMs + 5_000, `within ${withinMs} ms`);
    const gained = sizes(others).map((size, i) => size - (before[i] ?? 0));
    for (const gain of gained) assert.ok(gain >= killed.taken.length / 4, `unevenly: ${gained}`);
    assert.deepEqual(
      new Set(killed.taken),
      new Set(others.flatMap(({ taken }, i) => taken.slice(before[i]))),
    );
    for (const { mostStarts } of intakes) assert.equal(mostStarts, 2);
  }));

test('a start goes to the supervisor with more room, and a new supervisor takes nothing that runs', () =>
  withIntakes(async ({ open, add, redis }) => {
    const busy = open({ maxSessions: 40, maxStarts: 40 });
    await add(30);
    await eventually(() => busy.taken.length === 30);
    const [left = ''] = await add(1);
    await eventually(() => busy.taken.length === 31);
    const [added, taken] = await redis.hmget(sessionKeys(left).job, 'timestamp', 'processedOn');
    const leftMs = Number(taken) - Number(added);
    assert.ok(leftMs >= 70, `it left the start to others for only ${leftMs} ms`);
    const empty = open({ maxSessions: 100, maxStarts: 12 });
    for (let count = 1; count <= 10; count++) {
      await add(1);
      await eventually(() => sum(sizes([busy, empty])) === 31 + count);
    }
    assert.ok(empty.taken.length >= 7, `of 10 starts it got ${empty.taken.length}`);
    const ever = [...busy.taken, ...empty.taken];
    assert.equal(new Set(ever).size, ever.length, 'no session was taken twice');
  }));

test('starts that nobody may take are left alone', () =>
  withIntakes(async ({ open, add, redis }) => {
    const intake = open({ maxSessions: 2, maxStarts: 2 });
    await add(1);
    await eventually(() => intake.taken.length === 1);
    const paused = openQueue(sessionsQueue, redis);
    await paused.pause();
    await add(1);
    const before = Number(/^cmdstat_bzpopmin:calls=(\d+)/m.exec(await redis.info('commandstats'))?.[1] ?? 0);
    await pause(500);
    const after = Number(/^cmdstat_bzpopmin:calls=(\d+)/m.exec(await redis.info('commandstats'))?.[1] ?? 0);
    assert.ok(after - before < 10, `${after - before} reads in half a second`);
    assert.equal(intake.taken.length, 1);
    await paused.resume();
    await eventually(() => intake.taken.length === 2);
    await paused.close();
  }));
