import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, describe, it } from 'node:test';
import { type Bounds, bounds } from '../../../../src/contract/bounds.js';
import { commandRoomKey, keyPrefix } from '../../../../src/contract/keys.js';
import {
  type CommandQueueName,
  releaseReservation,
  reserveCapacity,
} from '../../../../src/http/commands/queue-capacity.js';
import { type CommandStage, startCommandStage } from '../../../support/command-stage.js';
import { eventually } from '../../../support/eventually.js';
import { parseMetrics } from '../../../support/metrics.js';
import { assertError, postSend, type SendAnswer } from '../../../support/send-client.js';

describe('the capacity of the command queues', () => {
  let stage: CommandStage;

  before(async () => {
    stage = await startCommandStage();
  });
  afterEach(() => stage.clear());
  after(() => stage.close());

  const take = (queue: CommandQueueName, id: string, bytes: number, limits: Partial<Bounds> = {}) =>
    reserveCapacity(stage.redis, { queue, session: 'default', id, bytes }, { ...bounds, ...limits });

  it('limits the bytes of waiting messages, also for concurrent sends', async () => {
    const { run } = await stage.held();
    await run.publish('ready');
    // Six bytes each as JSON.
    const message = '\u0001'.repeat(65_536);
    const send = (n: number) =>
      postSend(n % 2 === 0 ? stage.replica : stage.other, { message, prefer: 'respond-async' });
    const answers: SendAnswer[] = await Promise.all(Array.from({ length: 60 }, (_, n) => send(n)));
    const accepted = answers.filter(({ status }) => status === 202).length;
    const sizes = await waitingBytes();
    assert.equal(sizes.length, accepted);
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    assert.ok(bytes <= 16_777_216 && bytes > 16_377_216, `${bytes}`);
    const refused = answers.find(({ status }) => status !== 202) as SendAnswer;
    const error = assertError(refused, 429, 'queue_full');
    assert.equal(error.bound, 'sendQueueBytes');
    assert.match(String(error.message), /16777216 bytes/);
    assert.equal((await postSend(stage.replica, { prefer: 'respond-async' })).status, 202, 'a short one');
    const page = parseMetrics(await (await stage.replica.get('/metrics')).text());
    assert.ok((page.value('holdline_bound_reached_total', { bound: 'sendQueueBytes' }) ?? 0) > 0);
    const coming = async () => (await stage.redis.hkeys(commandRoomKey('default', 'sends'))).join();
    await eventually(async () => (await coming()) === '=');
  });

  async function waitingBytes(): Promise<number[]> {
    const ids = await stage.redis.lrange(`${keyPrefix}:sends-default:wait`, 0, -1);
    return Promise.all(ids.map((id) => stage.redis.hstrlen(`${keyPrefix}:sends-default:${id}`, 'data')));
  }

  it('is counted anew before a refusal, but not for every job', async () => {
    const ids = Array.from({ length: 500 }, (_, n) => `m-${n}`);
    const list = `${keyPrefix}:sends-default:wait`;
    for (const id of ids) await stage.redis.hset(`${keyPrefix}:sends-default:${id}`, 'data', 'x'.repeat(100));
    await stage.redis.lpush(list, ...ids);
    const limits = { sendQueueBytes: 50_100 };
    assert.equal(await take('sends', 'm-new', 100, limits), null);
    assert.equal(await take('sends', 'm-newer', 1, limits), 'sendQueueBytes');
    await stage.redis.ltrim(list, 0, 99);
    await eventually(async () => (await take('sends', 'm-newer', 1, limits)) === null);
  });

  it('counts the jobs of earlier versions, and other keys by their number only', async () => {
    const list = `${keyPrefix}:sends-default:wait`;
    await stage.redis.hset(`${keyPrefix}:sends-default:m-old`, 'data', 'x'.repeat(1_000));
    await stage.redis.set(`${keyPrefix}:sends-default:m-odd`, 'no hash');
    await stage.redis.lpush(list, 'm-old', 'm-odd', 'm-gone');
    assert.equal(await take('sends', 'm-1', 500, { sendQueueBytes: 1_499 }), 'sendQueueBytes');
    assert.equal(await take('sends', 'm-1', 500, { sendQueueBytes: 1_500 }), null, 'the control');
    assert.equal(await take('sends', 'm-2', 1, { sendQueue: 4 }), 'sendQueue');
  });

  for (const queue of ['sends', 'reads'] as const) {
    const [items, bytes] =
      queue === 'sends' ? ['sendQueue', 'sendQueueBytes'] : ['readQueue', 'readQueueBytes'];

    it(`is reserved for incoming ${queue}, and released`, async () => {
      const few = { [items]: 2, [bytes]: 100 };
      assert.equal(await take(queue, 'a', 60, few), null);
      assert.equal(await take(queue, 'b', 41, few), bytes);
      assert.equal(await take(queue, 'b', 40, few), null);
      assert.equal(await take(queue, 'c', 0, few), items);
      await releaseReservation(stage.redis, queue, 'default', 'a');
      assert.equal(await take(queue, 'c', 60, few), null);
      assert.ok((await stage.redis.pttl(commandRoomKey('default', queue))) > 0);
    });
  }

  it('refuses one read beyond the limit', async () => {
    const { run } = await stage.held();
    await run.publish('ready');
    const ids = Array.from({ length: 999 }, () => `r-${randomUUID()}`);
    await stage.redis.lpush(`${keyPrefix}:reads-default:wait`, ...ids);
    const stop = new AbortController();
    const ask = () =>
      stage.replica.get('/api/chats', { signal: stop.signal, headers: { prefer: 'wait=30' } });
    const last = ask().catch(() => null);
    await eventually(async () => (await stage.redis.llen(`${keyPrefix}:reads-default:wait`)) === 1_000);
    const refused = await ask();
    const { error } = (await refused.json()) as { error: Record<string, unknown> };
    assert.deepEqual([refused.status, error.code, error.bound], [429, 'queue_full', 'readQueue']);
    assert.ok(refused.headers.get('retry-after'));
    stop.abort();
    await last;
  });
});
