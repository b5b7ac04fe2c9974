import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, describe, it, test } from 'node:test';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import type { BoundName } from '../../../../src/contract/bounds.js';
import type { ReadJob, ReadReturn } from '../../../../src/contract/command-jobs.js';
import {
  answerKey,
  answersKey,
  attemptKey,
  keyPrefix,
  queueKey,
  readJobKey,
  sessionKeys,
} from '../../../../src/contract/keys.js';
import { readsQueue, sendsQueue } from '../../../../src/contract/names.js';
import type { Status } from '../../../../src/contract/status.js';
import { discardAnswer, fetchAnswer, storeAnswer } from '../../../../src/platform/store/read-answers.js';
import { boundAnswer } from '../../../../src/session-worker/operations/answer-size.js';
import { type CommandStage, startCommandStage } from '../../../support/command-stage.js';
import { eventually } from '../../../support/eventually.js';
import { assertNothingLeft } from '../../../support/leftovers.js';
import { parseMetrics } from '../../../support/metrics.js';
import { type SendStage, withSends } from '../../../support/send-stage.js';
import { openRedis, type RedisForData } from '../../../support/shared-redis.js';

after(assertNothingLeft);

describe('the answer to a read', () => {
  const message = (body: string) => ({ id: 'm', body, is_truncated: false });

  it('is whole at its bound; beyond it the longest bodies are cut, and no message is dropped', () => {
    const met: BoundName[] = [];
    const bounded = (output: unknown) => boundAnswer(output, (bound) => met.push(bound)) as typeof output;
    const whole = { messages: [message('')] };
    whole.messages[0] = message('x'.repeat(4_194_304 - Buffer.byteLength(JSON.stringify(whole))));
    assert.equal(bounded(whole), whole);
    assert.deepEqual(met, []);

    const bodies = Array.from({ length: 100 }, (_, n) => message(n % 2 ? 'short' : '\u0001'.repeat(65_536)));
    const chat = { last_message: message('short') };
    const cut = bounded({ chat, messages: bodies }) as { chat: unknown; messages: typeof bodies };
    assert.deepEqual(met, ['readAnswer']);
    const bytes = Buffer.byteLength(JSON.stringify(cut));
    assert.ok(bytes <= 4_194_304 && bytes > 4_194_304 / 2, `${bytes}`);
    assert.equal(cut.messages.length, 100);
    assert.deepEqual(cut.chat, chat);
    assert.deepEqual(cut.messages[1], message('short'));
    assert.equal(cut.messages[0]?.is_truncated, true);
  });

  it('is refused when something other than bodies makes it too long', () => {
    const odd = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, n) => [`field ${n}`, 'x'.repeat(2_000)]),
    );
    assert.throws(() => boundAnswer(odd, () => undefined), /4194304 bytes.*limit/);
  });
});

describe('unfetched answers', () => {
  let server: RedisForData;
  let redis: Redis;

  before(async () => {
    server = await openRedis();
    redis = new Redis(server.url);
  });
  afterEach(() => redis.flushdb());
  after(async () => {
    redis.disconnect();
    await server.stop();
  });

  async function asked(): Promise<string> {
    const id = `r-${randomUUID()}`;
    await redis.hset(readJobKey('default', id), 'data', '{}');
    return id;
  }
  const store = (id: string, json: string) => storeAnswer(redis, 'default', id, json);

  it('take at most 32 MiB, and one more is not kept', async () => {
    const part = 'x'.repeat(33_554_432 / 8);
    const ids = await Promise.all(Array.from({ length: 8 }, asked));
    for (const id of ids) assert.equal(await store(id, part), 'stored');
    const next = await asked();
    assert.equal(await store(next, 'x'), 'full');
    await discardAnswer(redis, 'default', ids[0] ?? '');
    assert.equal(await store(next, 'x'), 'stored');
    // An expired answer takes no capacity.
    await redis.del(answerKey('default', ids[1] ?? ''));
    assert.equal(await store(await asked(), 'x'.repeat(33_554_432 / 8)), 'stored');
    assert.ok((await redis.pttl(answerKey('default', next))) > 0);
  });

  it('are not kept for a caller that has left', async () => {
    const id = await asked();
    await discardAnswer(redis, 'default', id);
    assert.equal(await store(id, 'x'), 'unwanted');
    assert.equal(await store('r-gone', 'x'), 'unwanted');
    assert.equal(await fetchAnswer(redis, 'default', id), null);
    assert.equal(await redis.exists(answersKey('default')), 0);
  });
});

describe('a replica that has fetched an answer', () => {
  let stage: CommandStage;

  before(async () => {
    stage = await startCommandStage();
  });
  after(() => stage.close());

  for (const isStored of [true, false]) {
    it(`leaves nothing of it in Redis, whether it was ${isStored ? 'beside the job' : 'in the job, as with an older owner'}`, async () => {
      const { run } = await stage.held();
      await run.publish('ready');
      const output = { ok: true, count: 0, chats: [] };
      await stage.consumer({
        async read() {
          if (!isStored) return { ok: true, output };
          const [id = ''] = await stage.redis.lrange(`${keyPrefix}:reads-default:active`, 0, 0);
          assert.equal(await storeAnswer(stage.redis, 'default', id, JSON.stringify(output)), 'stored');
          return { stored: true } as never;
        },
      });
      const response = await stage.replica.get('/api/chats');
      assert.deepEqual(await response.json(), output);
      await eventually(async () => (await stage.redis.keys('*:r-*')).length === 0);
      assert.equal(await stage.redis.zcard(`${keyPrefix}:reads-default:completed`), 0);
      await stage.clear();
    });
  }
});

describe('an owner', () => {
  let server: RedisForData;
  before(async () => {
    server = await openRedis();
  });
  after(() => server.stop());

  async function askOn(stage: SendStage, fetchesAnswer: boolean): Promise<[string, ReadReturn]> {
    const { redis, session } = stage.observer;
    const { host, port, db } = redis.options;
    const queue = new Queue<ReadJob>(readsQueue(session), {
      connection: { host, port, db },
      prefix: keyPrefix,
    });
    const data = { operation: 'chats', input: { limit: 1 }, notAfter: Date.now() + 60_000, requestId: 'r' };
    const all = { ...data, ...(fetchesAnswer ? { fetchesAnswer } : {}) } as ReadJob;
    const job = await queue.add('chats', all, { removeOnComplete: { age: 60, count: 10 } });
    const id = job.id ?? '';
    const json = await eventually(() => redis.hget(readJobKey(session, id), 'returnvalue'));
    await queue.close();
    return [id, JSON.parse(json ?? '') as ReadReturn];
  }

  test('stores an answer beside its job, for at most a minute, and nowhere else', () =>
    withSends(server, async (stage) => {
      await stage.run('ready');
      await stage.observer.untilReady();
      const { redis, session } = stage.observer;
      const [id, returned] = await askOn(stage, true);
      assert.deepEqual(returned, { stored: true });
      const output = JSON.parse((await fetchAnswer(redis, session, id)) ?? '') as unknown;
      assert.deepEqual(output, { ok: true, count: 0, chats: [] });
      for (const key of [answerKey(session, id), readJobKey(session, id)]) {
        await eventually(async () => (await redis.pttl(key)) > 0);
        assert.ok((await redis.pttl(key)) <= 60_000, key);
      }
      const notices = await redis.xrange(`${keyPrefix}:${readsQueue(session)}:events`, '-', '+');
      assert.equal(JSON.stringify(notices).includes('chats\\":[]'), false);
      // The job expires, and leaves the list of completed jobs with the next one.
      const completed = `${keyPrefix}:${readsQueue(session)}:completed`;
      await redis.del(readJobKey(session, id));
      await redis.zadd(completed, 1, id);
      // An older replica reads the answer from the job.
      const [, inJob] = await askOn(stage, false);
      assert.deepEqual(inJob, { ok: true, output });
      assert.equal(await redis.zcard(completed), 1);
    }));

  test('counts its settled sends, which have a bound, and not its settled reads', () =>
    withSends(server, async (stage) => {
      await stage.run('ready');
      await stage.observer.untilReady();
      const { redis, session } = stage.observer;
      const seen: string[] = [];
      const monitor = await redis.monitor();
      monitor.on('monitor', (_time: string, [name = '', key = '']: string[], source: string) => {
        if (source !== 'lua') seen.push(`${name.toLowerCase()} ${key}`);
      });
      const [read] = await askOn(stage, true);
      const [send = ''] = await stage.accept('hello');
      await stage.settled(send);
      const completed = (queue: string) => `zcard ${queueKey(queue, 'completed')}`;
      await eventually(() => seen.includes(completed(sendsQueue(session))));
      await eventually(() => seen.includes(`pexpire ${readJobKey(session, read)}`));
      monitor.disconnect();
      assert.ok(!seen.includes(completed(readsQueue(session))));
    }));

  test('counts the bounds that its session worker reaches', () =>
    withSends(server, async (stage) => {
      const supervisor = await stage.run('writes too much');
      await stage.observer.untilReady();
      const { redis, session } = stage.observer;
      const status = JSON.parse((await redis.get(sessionKeys(session).state)) ?? '') as Status;
      assert.equal(status.last_error?.length, 2_048);
      await eventually(async () => {
        const page = parseMetrics(await supervisor.metrics.page.render());
        return (page.value('holdline_bound_reached_total', { bound: 'statusText' }) ?? 0) > 0;
      });
    }));

  test('keeps settled sends for a day, their attempt records for a minute, and few notices', () =>
    withSends(server, async (stage) => {
      await stage.run('ready');
      await stage.observer.untilReady();
      const { redis, session } = stage.observer;
      const [id = ''] = await stage.accept('hello');
      await stage.settled(id);
      const queue = `${keyPrefix}:sends-${session}`;
      await eventually(async () => (await redis.pttl(`${queue}:${id}`)) > 86_000_000);
      const recordMs = await redis.pttl(attemptKey(session, id));
      assert.ok(recordMs > 0 && recordMs <= 60_000, `${recordMs}`);
      // No other process has opened this queue and could have set another value.
      const meta = `${keyPrefix}:${readsQueue(session)}:meta`;
      await eventually(async () => (await redis.hget(meta, 'opts.maxLenEvents')) === '100');
    }));
});
