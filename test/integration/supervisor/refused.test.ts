import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Worker } from 'bullmq';
import type { ReadJob } from '../../../src/contract/command-jobs.js';
import { keyPrefix } from '../../../src/contract/keys.js';
import { readsQueue, sessionsQueue } from '../../../src/contract/names.js';
import { openQueue } from '../../../src/platform/queues/job-queue.js';
import { eventually } from '../../support/eventually.js';
import { assertNothingLeft } from '../../support/leftovers.js';
import { startRedis } from '../../support/redis-server.js';
import { type RefusedCommand, refuseOnce, type Target } from '../../support/refused-command.js';
import { SendStage } from '../../support/send-stage.js';

/** A supervisor retries every command to Redis: it survives the refusal of any one of them. */
const redis = await startRedis();

after(async () => {
  await redis.stop();
  await assertNothingLeft();
});

/**
 * The life of a run on a supervisor: it takes the run and a send that a dead owner held, a waiting and a new send, a read
 * and a stop.
 */
async function live(stage: SendStage): Promise<void> {
  const [held = ''] = await stage.accept('one that was held');
  await stage.observer.start();
  for (const name of [stage.queue.name, sessionsQueue]) await takeAsOwnerThatDies(stage, name);
  const [waiting = ''] = await stage.accept('one that waits');
  await stage.run('ready');
  await stage.observer.untilReady('the session is ready', 20_000);
  const [coming = ''] = await stage.accept('one that comes');
  for (const id of [held, waiting, coming]) assert.equal((await stage.settled(id)).status, 'sent');
  assert.deepEqual(await answerOf(stage), { stored: true });
  await stage.observer.requestEnd('stop');
  assert.equal((await stage.observer.untilEnded('the run has ended', 20_000)).state, 'stopped');
  assert.deepEqual(stage.sentTexts(), ['one that was held', 'one that waits', 'one that comes']);
}

/** Has an owner take the oldest job of this queue and die. */
async function takeAsOwnerThatDies({ observer }: SendStage, queue: string): Promise<void> {
  const { host, port } = observer.redis.options;
  const owner = new Worker(queue, null, {
    connection: { host, port },
    prefix: keyPrefix,
    autorun: false,
  });
  owner.on('error', () => undefined);
  try {
    assert.ok(await owner.getNextJob('a dead owner', { block: false }));
  } finally {
    await owner.close(true);
  }
}

/** Enqueues a read and returns what its job returns. */
async function answerOf({ observer: { redis: connection, session } }: SendStage): Promise<unknown> {
  const queue = openQueue<ReadJob>(readsQueue(session), connection);
  try {
    const read: Omit<ReadJob, 'operation'> = {
      ...{ input: {}, notAfter: Date.now() + 60_000, requestId: 'r', fetchesAnswer: true },
    };
    const { id = '' } = await queue.add('chats', { operation: 'chats', ...read });
    return await eventually(async () => (await queue.getJob(id))?.returnvalue, { message: 'it is answered' });
  } finally {
    await queue.close();
  }
}

/** The first command of each kind, or every command with HOLDLINE_FAULTS=all. */
function targetsOf(counts: ReadonlyMap<string, number>): Target[] {
  const isWhole = process.env.HOLDLINE_FAULTS === 'all';
  return [...counts].flatMap(([kind, count]) =>
    Array.from({ length: isWhole ? count : 1 }, (_, i) => ({ kind, nth: i + 1 })),
  );
}

/** Runs one life in which `target` is refused, and returns its commands. */
async function liveWith(target: Target | null): Promise<RefusedCommand> {
  const refused = refuseOnce(target);
  try {
    await new SendStage(redis, { isAlone: true }).during(live);
  } finally {
    refused.restore();
  }
  return refused;
}

test('a session becomes ready, sends in order and stops although Redis refuses any one command once', async () => {
  const { counts } = await liveWith(null);
  const failures: Error[] = [];
  const reached = new Set<string>();
  for (const target of targetsOf(counts)) {
    try {
      if ((await liveWith(target)).wasReached) reached.add(target.kind);
    } catch (error) {
      failures.push(new Error(`${target.kind} (${target.nth}) is refused`, { cause: error }));
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} refusals did not pass`);
  // A command that depends on timing may not come again.
  const missed = [...counts.keys()].filter((kind) => !reached.has(kind));
  assert.ok(missed.length <= 5, `never refused: ${missed.join(', ')}`);
});
