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

/** Nothing that a supervisor asks of Redis may be asked once only: whichever it is, a refusal passes. */
const redis = await startRedis();

after(async () => {
  await redis.stop();
  await assertNothingLeft();
});

/**
 * From the start of a supervisor to the end of a run on it: the run and a send that a dead owner held, one that waits, one that
 * comes, a read, a stop.
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

/** The oldest of this queue is handed out to somebody who is never heard of again. */
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

/** What comes of a question to the session. */
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

/** Of each kind the first one, and all with HOLDLINE_FAULTS=all. */
function targetsOf(counts: ReadonlyMap<string, number>): Target[] {
  const isWhole = process.env.HOLDLINE_FAULTS === 'all';
  return [...counts].flatMap(([kind, count]) =>
    Array.from({ length: isWhole ? count : 1 }, (_, i) => ({ kind, nth: i + 1 })),
  );
}

/** The commands of one life, of which `target` is refused. */
async function liveWith(target: Target | null): Promise<RefusedCommand> {
  const refused = refuseOnce(target);
  try {
    await new SendStage(redis, { isAlone: true }).during(live);
  } finally {
    refused.restore();
  }
  return refused;
}

test('whichever command of a life Redis refuses once: the session becomes ready, sends in order and stops', async () => {
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
  // What depends on the moment may not come again.
  const missed = [...counts.keys()].filter((kind) => !reached.has(kind));
  assert.ok(missed.length <= 5, `never refused: ${missed.join(', ')}`);
});
