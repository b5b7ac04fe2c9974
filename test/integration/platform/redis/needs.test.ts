import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { after, afterEach, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { bounds, MiB } from '../../../../src/contract/bounds.js';
import type { SendJob } from '../../../../src/contract/command-jobs.js';
import { eventIndexKey, readJobKey, sessionKeys } from '../../../../src/contract/keys.js';
import { redisNeeds } from '../../../../src/contract/redis-needs.js';
import { createCommandQueues } from '../../../../src/http/commands/command-queues.js';
import { stagePiece } from '../../../../src/platform/store/credentials-store.js';
import { rememberNumbers } from '../../../../src/platform/store/lid-map.js';
import { storeAnswer } from '../../../../src/platform/store/read-answers.js';
import { claimToWrite } from '../../../support/event-writer.js';
import { type RedisServer, startRedis } from '../../../support/redis-server.js';

describe('the memory of Redis for', () => {
  let server: RedisServer;
  let redis: Redis;
  let startBytes = 0;

  before(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
    await claimToWrite(redis);
    await redis.flushall();
    startBytes = await usedBytes();
  });
  afterEach(() => redis.flushall());
  after(async () => {
    redis.disconnect();
    await server.stop();
  });

  async function usedBytes(): Promise<number> {
    return Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]);
  }

  /** Asserts that Redis used at most the planned memory, and not so much less that the plan means nothing. */
  async function assertNeed(what: string, share = 1, least = 0.4): Promise<void> {
    const used = (await usedBytes()) - startBytes;
    const need = (redisNeeds.find((each) => each.what === what)?.bytes ?? 0) * share;
    const text = `${what}: ${(used / MiB).toFixed(1)} of ${(need / MiB).toFixed(1)} MiB`;
    assert.ok(used <= need && used >= least * need, text);
  }

  it('events, long ones and short ones', async () => {
    const writer = await claimToWrite(redis);
    const long = Array.from({ length: 50 }, () => '€'.repeat(65_536));
    for (let n = 0; n < 21; n++) await writer.messages(...long);
    await assertNeed('events of a session');
    await redis.flushall();
    const again = await claimToWrite(redis);
    const short = Array.from({ length: 1_000 }, () => 'x'.repeat(6_000));
    for (let n = 0; n < 11; n++) await again.messages(...short);
    await assertNeed('events of a session');
  });

  it('the index of events, of sessions with the longest names', async () => {
    const fill = `for i = 1, ARGV[1] do redis.call('XADD', KEYS[1], '*', 's', ARGV[2]) end`;
    await redis.eval(fill, 1, eventIndexKey, bounds.eventIndex, 'x'.repeat(64));
    await assertNeed('the common order of all events');
  });

  const sends = () => createCommandQueues({ redis, session: 'default', sendQueueMax: 1_000 });
  const job = (message: string | null): SendJob => ({
    ...{ phoneNumber: '15551234567', chatId: null, linkPreview: true, markSeen: true, message },
    ...{
      requestHash: 'f'.repeat(64),
      notAfter: Date.now(),
      wipedEpoch: Date.now(),
      wid: '491511234567@c.us',
    },
    requestId: randomUUID(),
  });

  it('sends that wait', async () => {
    const queues = sends();
    const message = 'x'.repeat(bounds.sendQueueBytes / bounds.sendQueue - 500);
    for (let n = 0; n < bounds.sendQueue; n++) await queues.addSend(`m-${randomUUID()}`, job(message));
    await assertNeed('sends that wait');
    await queues.close();
  });

  it('settled sends', async () => {
    const queues = sends();
    const count = bounds.settledSends / 10;
    const result = {
      ...{ ok: true, to: '15551234567', chat_id: '15551234567@c.us', timestamp: new Date().toISOString() },
      message_id: `true_15551234567@c.us_${'A'.repeat(32)}`,
    };
    for (let n = 0; n < count; n++) {
      const id = `m-${randomUUID()}`;
      await queues.addSend(id, job(null));
      const fields = { returnvalue: JSON.stringify({ status: 'sent', result }), finishedOn: Date.now() };
      await redis.hset(`{wa}:sends-default:${id}`, { ...fields, processedOn: Date.now(), ats: 1, atm: 1 });
      await redis.zadd('{wa}:sends-default:completed', Date.now(), id);
    }
    await redis.del('{wa}:sends-default:wait');
    await assertNeed('settled sends', 0.1, 0.25);
    await queues.close();
  });

  it('answers to reads', async () => {
    const answer = randomBytes(bounds.readAnswers / 16).toString('hex');
    for (let n = 0; n < 8; n++) {
      const id = `r-${n}`;
      await redis.hset(readJobKey('default', id), 'data', '{}');
      assert.equal(await storeAnswer(redis, 'default', id, answer), 'stored');
    }
    await assertNeed('answers to reads');
  });

  it('numbers behind hidden ids', async () => {
    await redis.set(sessionKeys('default').fence, '1.0');
    const fence = { epoch: 1, incarnation: 0 };
    for (let from = 0; from < bounds.knownNumbers; from += 1_000) {
      const told = Array.from({ length: 1_000 }, (_, n) => ({
        lid: `${98_765_432_100_000 + from + n}@lid`,
        phone: String(491_511_000_000 + from + n),
      }));
      await rememberNumbers(redis, 'default', fence, '491511234567@c.us', told);
    }
    // Redis keeps the old hash table for a while after it has grown.
    await assertNeed('numbers behind hidden ids', 1, 0.25);
  });

  it('backups of the login', async () => {
    await redis.set(sessionKeys('default').fence, '1.0');
    const piece = randomBytes(256 * 1_024 - 512 + 28);
    const writer = { session: 'default', epoch: 1 };
    for (let n = 0; n < 64; n++) await stagePiece(redis, writer, 'a', n, piece);
    const share = (64 * piece.length) / (3 * bounds.snapshot);
    await assertNeed('backups of the login, two and one on its way', share);
  });
});
