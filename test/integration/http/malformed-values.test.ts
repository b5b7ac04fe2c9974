import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import fc from 'fast-check';
import {
  answersKey,
  attemptKey,
  commandRoomKey,
  quarantineKey,
  readJobKey,
  sendJobKey,
  sessionKeys,
} from '../../../src/contract/keys.js';
import { clearUnsentMessages } from '../../../src/platform/queues/send-cleanup.js';
import { quarantine } from '../../../src/platform/redis/quarantine.js';
import { bothAt } from '../../../src/platform/store/event-positions.js';
import { readEvents } from '../../../src/platform/store/event-stream.js';
import { storeAnswer } from '../../../src/platform/store/read-answers.js';
import { markWiped } from '../../../src/platform/store/wipe-store.js';
import { type CommandStage, startCommandStage } from '../../support/command-stage.js';
import { type EventClient, listenToEvents } from '../../support/event-client.js';
import { claimToWrite } from '../../support/event-writer.js';
import { eventually } from '../../support/eventually.js';
import { linkedAccount as account } from '../../support/held-session.js';
import { getJob, postSend } from '../../support/send-client.js';

const session = 'default';
const k = sessionKeys(session);

describe('an unreadable value in Redis fails only itself:', () => {
  let stage: CommandStage;
  const clients: EventClient[] = [];

  before(async () => {
    stage = await startCommandStage();
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await stage.clear();
  });
  after(() => stage.close());

  async function ready(): Promise<void> {
    const { run } = await stage.held();
    await run.publish('ready', { account });
  }

  async function queued(key?: string): Promise<string> {
    const { body } = await postSend(stage.replica, { prefer: 'respond-async', ...(key ? { key } : {}) });
    return String(body.id);
  }

  for (const [field, value] of Object.entries({
    ...{ timestamp: 'x', processedOn: '1e400', finishedOn: 'soon', ats: '{}', returnvalue: 'no{' },
    data: 'no{',
  })) {
    it(`a job with an invalid ${field} is shown, and so are the others`, async () => {
      await ready();
      const [odd, other] = [await queued(), await queued()];
      await stage.redis.hset(sendJobKey(session, odd), field, value);
      const [job] = await Promise.all([getJob(stage.replica, odd), getJob(stage.replica, other)]);
      assert.equal(job.id, odd);
      if (field === 'returnvalue')
        assert.deepEqual([job.status, job.error?.code], ['unknown', 'interrupted']);
    });
  }

  it('a job of the wrong type is not found, and others of the same read are', async () => {
    await ready();
    const [odd, other] = [await queued(), await queued()];
    const key = sendJobKey(session, odd);
    await stage.redis.multi().del(key).rpush(key, 'x').exec();
    const [response] = await Promise.all([
      stage.replica.get(`/api/jobs/${odd}`),
      getJob(stage.replica, other),
      getJob(stage.replica, other),
    ]);
    assert.equal(response.status, 404);
  });

  it('a message with an unreadable job is not sent again under its Idempotency-Key', async () => {
    await ready();
    const id = await queued('again');
    await stage.redis.hset(sendJobKey(session, id), 'data', 'no{');
    const again = await postSend(stage.replica, { prefer: 'respond-async', key: 'again' });
    assert.equal(again.status, 500);
    assert.match(JSON.stringify(again.body), /cannot be read/);
    assert.equal(await stage.redis.hget(sendJobKey(session, id), 'data'), 'no{');
  });

  it('a message with a job of the wrong type is not sent again either, and keeps its attempt record', async () => {
    await ready();
    const id = await queued('other');
    await stage.redis.set(attemptKey(session, id), '{"attempt":null,"outcome":null}');
    await stage.redis.del(sendJobKey(session, id));
    await stage.redis.rpush(sendJobKey(session, id), 'x');
    const again = await postSend(stage.replica, { prefer: 'respond-async', key: 'other' });
    assert.equal(again.status, 500);
    assert.match(JSON.stringify(again.body), /cannot be read/);
    assert.equal(await stage.redis.exists(attemptKey(session, id)), 1);
  });

  it('a job counter that is no number is quarantined, and the job is added', async () => {
    await ready();
    const counter = '{wa}:sends-default:id';
    for (const odd of ['no number', '9223372036854775807']) {
      await stage.redis.set(counter, odd);
      const { status } = await postSend(stage.replica, { prefer: 'respond-async' });
      assert.equal(status, 202);
      assert.equal(await stage.redis.get(quarantineKey(counter)), odd);
    }
  });

  it('/health answers although the backup status is unreadable', async () => {
    await ready();
    await stage.redis.mset(k.backupStatus, 'no{', k.backupSummary, '[]');
    assert.equal((await stage.replica.get('/health')).status, 200);
  });

  it('a heartbeat without an expiry does not prevent a start', async () => {
    await stage.redis.set(k.heartbeat, 'live');
    await stage.replica.post('/api/auth/start', { headers: { prefer: 'wait=0' } });
    assert.equal(await stage.redis.exists(k.job), 1);
  });

  for (const [name, value] of Object.entries({
    fence: 'odd',
    wiped: '9'.repeat(40),
    account: '',
    intent: '[',
  })) {
    it(`a session without an owner can be logged out although its ${name} is unreadable`, async () => {
      const key = k[name as keyof typeof k];
      await ready();
      await stage.open.at(-1)?.close();
      await stage.redis.del(k.heartbeat, k.lock);
      await stage.redis.set(key, value);
      assert.equal((await stage.replica.post('/api/logout')).status, 200);
      assert.equal((await stage.replica.status()).state, 'stopped');
    });
  }

  it('an unreadable event keeps its place in the stream and is not sent', async () => {
    const writer = await claimToWrite(stage.redis);
    await writer.messages('first');
    const client = await listenToEvents(stage.replica.url, { lastEventId: '1-0' });
    clients.push(client);
    await client.untilCount(2);
    for (const fields of [
      ['x', 'y'],
      ['type', 'message'],
      ['event', '{}'],
      ['type', 'message', 'event', 'no{'],
      ['type', 'message', 'event', '{}\n\nevent: message\ndata: {"forged":true}'],
      ['type', 'message', 'event', '{}', 'total', 'rubbish'],
    ]) {
      await stage.redis.xadd(k.events, '*', ...fields);
    }
    await writer.messages('last');
    await eventually(() => client.events.some(({ body }) => JSON.stringify(body).includes('last')));
    assert.doesNotMatch(client.text, /forged|no\{/);
    const resumed = await listenToEvents(stage.replica.url, { lastEventId: '1-0' });
    clients.push(resumed);
    await eventually(() => resumed.text.includes('last'));
    assert.doesNotMatch(resumed.text, /forged|no\{/);
  });

  it('event streams open although the state is unreadable', async () => {
    await stage.redis.set(k.state, 'no{');
    assert.equal((await stage.replica.get('/api/status')).status, 500);
    const client = await listenToEvents(stage.replica.url);
    clients.push(client);
    assert.equal(client.status, 200);
  });

  it('readEvents reads any stream entries', async () => {
    const text = fc.oneof(fc.string(), fc.constantFrom('type', 'event', 'total', 'message', '{}', '{"a":1}'));
    const fields = fc.array(
      text.filter((word) => word !== ''),
      { minLength: 2, maxLength: 8 },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fields, { minLength: 1, maxLength: 5 }), async (entries) => {
        await stage.redis.del(k.events);
        for (const words of entries) {
          await stage.redis.xadd(k.events, '*', ...words.slice(0, words.length - (words.length % 2)));
        }
        const view = await readEvents(stage.redis, [session], bothAt('-'), 10);
        assert.equal(view.entries.length, entries.length);
        for (const { json } of view.entries) assert.equal(typeof JSON.parse(json), 'object');
      }),
      { numRuns: 50 },
    );
  });

  it('reads and sends are accepted whatever the counters of answers and queue capacity hold', async () => {
    await stage.redis.hset(answersKey(session), 'r-1', 'many', 'r-2', '9'.repeat(400));
    await stage.redis.set('{wa}:s:default:answer:r-1', 'x');
    await stage.redis.hset(readJobKey(session, 'r-3'), 'data', '{}');
    assert.equal(await storeAnswer(stage.redis, session, 'r-3', '{}'), 'stored');
    await ready();
    for (const odd of ['x', `${'9'.repeat(20)}:1`, '9999999999999:99999999', ':', '1:1:1']) {
      await stage.redis.hset(commandRoomKey(session, 'sends'), '=', odd, 'm-odd', odd);
      assert.match(await queued(), /^m-/);
    }
  });

  it('a logout deletes the texts of waiting messages, unreadable ones too', async () => {
    await ready();
    const ids = [await queued(), await queued(), await queued()];
    await stage.redis.hset(sendJobKey(session, ids[0] ?? ''), 'data', 'Hello{');
    const other = sendJobKey(session, ids[1] ?? '');
    await stage.redis.multi().del(other).rpush(other, 'Hello').exec();
    await clearUnsentMessages(stage.redis, session);
    for (const id of ids) {
      const data = await stage.redis.hget(sendJobKey(session, id), 'data');
      assert.doesNotMatch(data ?? '', /Hello/);
    }
  });

  it('at most 100 keys of a session are quarantined, and all are deleted with the account', async () => {
    const { fence } = await claimToWrite(stage.redis);
    const keys = Array.from({ length: 105 }, (_, i) => `{wa}:s:default:attempt:m-${i}`);
    for (const key of keys) {
      await stage.redis.rpush(key, 'x');
      assert.equal(await quarantine(stage.redis, key, { type: 'wrong type', wanted: 'string' }), true);
    }
    assert.equal(await stage.redis.hlen(k.quarantineIndex), 100);
    const left = await Promise.all(keys.map((key) => stage.redis.exists(quarantineKey(key))));
    assert.equal(left.filter(Boolean).length, 100);
    await markWiped(stage.redis, session, fence.epoch);
    assert.deepEqual(await stage.redis.keys('{wa}:aside:*'), []);
    assert.equal(await stage.redis.exists(k.quarantineIndex), 0);
  });
});
