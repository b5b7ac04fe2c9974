import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { SendJob, SendOutcome } from '../../../../src/contract/command-jobs.js';
import { attemptKey, keyPrefix } from '../../../../src/contract/keys.js';
import { deferred } from '../../../../src/platform/deadline.js';
import { recordOutcome } from '../../../../src/platform/store/send-attempts.js';
import { type CommandStage, startCommandStage } from '../../../support/command-stage.js';
import { eventually } from '../../../support/eventually.js';
import { startFaultProxy } from '../../../support/fault-proxy.js';
import { linkedAccount as account, type HeldSession } from '../../../support/held-session.js';
import { startReplica } from '../../../support/http-replica.js';
import { sentOutcome, type TakenSend } from '../../../support/scripted-commands.js';
import { assertError, getJob, postSend } from '../../../support/send-client.js';

const sent = { send: async (job: TakenSend) => sentOutcome(job) };
const dayMs = 86_400_000;

describe('POST /api/send with an Idempotency-Key', () => {
  let stage: CommandStage;
  let session: HeldSession;

  before(async () => {
    stage = await startCommandStage();
  });
  beforeEach(async () => {
    session = await stage.held();
    await session.run.publish('ready', { account });
  });
  afterEach(() => stage.clear());
  after(() => stage.close());

  const jobKey = (id: unknown) => `${keyPrefix}:sends-default:${String(id)}`;

  it('replays a settled send on every replica, with a header that says so', async () => {
    const { sends } = await stage.consumer(sent);
    const first = await postSend(stage.replica, { key: 'order 4711' });
    assert.equal(first.headers.get('idempotent-replayed'), null);
    const again = await postSend(stage.other, { key: 'order 4711', to: '1-555-123-4567' });
    assert.equal(again.status, 200);
    assert.equal(again.headers.get('idempotent-replayed'), 'true');
    assert.deepEqual(again.body, first.body);
    assert.equal(sends.length, 1);
  });

  it('replays a failure as the same failure', async () => {
    const failure: SendOutcome = { status: 'failed', error: { code: 'not_on_whatsapp', message: 'unknown' } };
    const { sends } = await stage.consumer({ send: async () => failure });
    const first = await postSend(stage.replica, { key: 'a' });
    const again = await postSend(stage.other, { key: 'a' });
    assert.deepEqual(assertError(again, 422, 'not_on_whatsapp'), first.body.error);
    assert.equal(again.headers.get('idempotent-replayed'), 'true');
    assert.equal(sends.length, 1);
  });

  it('replays in every state of the session, also with respond-async', async () => {
    await stage.consumer(sent);
    const first = await postSend(stage.replica, { key: 'a' });
    await stage.replica.post('/api/stop');
    assertError(await postSend(stage.replica, { key: 'b' }), 409, 'session_not_started');
    const again = await postSend(stage.replica, { key: 'a', prefer: 'respond-async' });
    assert.deepEqual([again.status, again.body], [200, first.body]);
  });

  it('joins a send in progress', async () => {
    const maySend = deferred<void>();
    const { sends } = await stage.consumer({
      async send(job) {
        await maySend.promise;
        return sentOutcome(job);
      },
    });
    const first = postSend(stage.replica, { key: 'a' });
    await eventually(() => sends.length === 1);
    const isFound = deferred<void>();
    const proxy = await startFaultProxy(stage.server.port, {
      onRequest(bytes) {
        if (bytes.includes('\r\nhget\r\n')) isFound.resolve();
      },
    });
    stage.open.push(proxy);
    const watched = await startReplica(`redis://127.0.0.1:${proxy.port}`);
    stage.open.push(watched);
    const second = postSend(watched, { key: 'a' });
    // By then it has read the status of the job.
    await isFound.promise;
    const third = await postSend(stage.other, { key: 'a', prefer: 'respond-async' });
    assert.deepEqual([third.status, third.body.status], [202, 'active']);
    maySend.resolve();
    const [one, two] = [await first, await second];
    assert.deepEqual([one.status, two.status], [200, 200]);
    assert.deepEqual(one.body, two.body);
    assert.equal(two.headers.get('idempotent-replayed'), null);
    assert.equal(sends.length, 1);
  });

  it('sends one message for fifty concurrent requests on two replicas', async () => {
    const { sends } = await stage.consumer(sent);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => postSend(i % 2 ? stage.replica : stage.other, { key: 'burst' })),
    );
    assert.equal(new Set(answers.map(({ status, body }) => `${status} ${body.message_id}`)).size, 1);
    assert.equal(answers[0]?.status, 200);
    assert.equal(sends.length, 1);
  });

  it('accepts one of several concurrent different requests and refuses the others', async () => {
    const { sends } = await stage.consumer(sent);
    for (let round = 0; round < 10; round++) {
      const answers = await Promise.all(
        Array.from({ length: 6 }, (_, i) =>
          postSend(i % 2 ? stage.replica : stage.other, { key: `round ${round}`, message: `text ${i}` }),
        ),
      );
      assert.equal(answers.filter(({ status }) => status === 200).length, 1);
      for (const answer of answers.filter(({ status }) => status !== 200)) {
        assertError(answer, 409, 'idempotency_conflict');
      }
    }
    assert.equal(sends.length, 10);
  });

  it('refuses a different request under the same key, before and after the first has settled', async () => {
    const running = await postSend(stage.replica, { key: 'a', prefer: 'respond-async' });
    assert.equal(running.status, 202);
    for (const other of [{ message: 'Hello!' }, { to: '15551234568' }]) {
      assertError(await postSend(stage.other, { key: 'a', ...other }), 409, 'idempotency_conflict');
    }
    await stage.consumer(sent);
    await eventually(async () => (await getJob(stage.replica, running.body.id)).status === 'sent');
    assertError(await postSend(stage.other, { key: 'a', message: 'Hello!' }), 409, 'idempotency_conflict');
    assert.equal((await postSend(stage.other, { key: 'a' })).status, 200);
  });

  it('refuses the same text to another recipient or with other options under the same key', async () => {
    const { sends } = await stage.consumer(sent);
    assert.equal((await postSend(stage.replica, { key: 'a' })).status, 200);
    for (const more of [{ chat_id: '15551234567@c.us' }, { link_preview: false }, { mark_seen: false }]) {
      assertError(await postSend(stage.other, { key: 'a', more }), 409, 'idempotency_conflict');
    }
    const same = await postSend(stage.other, { key: 'a', more: { link_preview: true, mark_seen: true } });
    assert.deepEqual([same.status, same.headers.get('idempotent-replayed')], [200, 'true']);

    const id = { chat_id: '120363000000000001@g.us', mark_seen: false };
    assert.equal((await postSend(stage.replica, { key: 'b', more: id })).status, 200);
    const again = await postSend(stage.other, { key: 'b', more: id });
    assert.deepEqual([again.status, again.headers.get('idempotent-replayed')], [200, 'true']);
    assert.equal(sends.length, 2);
  });

  it('joins and sends a message that an earlier version accepted', async () => {
    const first = await postSend(stage.replica, { key: 'a', prefer: 'respond-async' });
    const [key = ''] = await stage.redis.keys(jobKey('k-*'));
    const { chatId, linkPreview, markSeen, ...earlier } = JSON.parse(
      (await stage.redis.hget(key, 'data')) ?? '',
    ) as SendJob;
    assert.deepEqual([chatId, linkPreview, markSeen], [null, true, true]);
    await stage.redis.hset(key, 'data', JSON.stringify(earlier));
    assertError(await postSend(stage.replica, { key: 'a', message: 'another' }), 409, 'idempotency_conflict');
    const { sends } = await stage.consumer(sent);
    const again = await postSend(stage.other, { key: 'a' });
    assert.deepEqual([again.status, again.body.to], [200, '15551234567']);
    assert.equal(sends.length, 1);
    assert.deepEqual([sends[0]?.chatId, sends[0]?.linkPreview, sends[0]?.markSeen], [null, true, true]);
    assert.equal((await getJob(stage.replica, first.body.id)).status, 'sent');
  });

  it('tells keys apart by every character', async () => {
    const { sends } = await stage.consumer(sent);
    for (const key of ['a', 'A', 'a b', 'b', 'x'.repeat(255), 'x'.repeat(254)]) {
      const answer = await postSend(stage.replica, { key });
      assert.equal(answer.headers.get('idempotent-replayed'), null, key);
    }
    assert.equal(sends.length, 6);
  });

  it('does not remember a request that was refused', async () => {
    await session.run.publish('disconnected');
    await session.run.publish('qr', { qrText: 'a code' });
    assertError(await postSend(stage.replica, { key: 'a' }), 409, 'login_required');
    await session.run.publish('ready', { account });
    await stage.consumer(sent);
    const answer = await postSend(stage.replica, { key: 'a', message: 'another text' });
    assert.deepEqual([answer.status, answer.headers.get('idempotent-replayed')], [200, null]);
  });

  for (const [what, key] of [
    ['empty', ''],
    ['longer than 255', 'x'.repeat(256)],
    ['not ASCII', 'gr\u00fcn'],
  ] as const) {
    it(`refuses a key that is ${what}, but only for a send`, async () => {
      const error = assertError(await postSend(stage.replica, { key }), 400, 'invalid_request');
      assert.equal((error.issues as { path: string }[])[0]?.path, 'Idempotency-Key');
      const status = await stage.replica.get('/api/status', { headers: { 'idempotency-key': key } });
      assert.equal(status.status, 200);
    });
  }

  it('forgets a key after 24 hours, even if Redis still has the job', async () => {
    const { sends } = await stage.consumer(sent);
    const { body } = await postSend(stage.replica, { key: 'a' });
    const [id] = await stage.redis.zrange(`${keyPrefix}:sends-default:completed`, '0', '-1');
    const key = jobKey(id);
    // The owner leaves this record.
    const { returnvalue = '' } = await stage.redis.hgetall(key);
    await recordOutcome(stage.redis, 'default', id ?? '', JSON.parse(returnvalue) as SendOutcome);

    await stage.redis.hset(key, 'finishedOn', String(Date.now() - dayMs + 60_000));
    assert.equal((await postSend(stage.replica, { key: 'a' })).headers.get('idempotent-replayed'), 'true');

    await stage.redis.hset(key, 'finishedOn', String(Date.now() - dayMs - 1_000));
    assert.equal((await stage.replica.get(`/api/jobs/${id}`)).status, 404);
    const anew = await postSend(stage.replica, { key: 'a', message: 'another text' });
    assert.deepEqual([anew.status, anew.headers.get('idempotent-replayed')], [200, null]);
    assert.notEqual(anew.body, body);
    assert.deepEqual(
      sends.map(({ message }) => message),
      ['Hello', 'another text'],
    );
  });

  it('does not settle a new job with the outcome of a job that Redis has dropped', async () => {
    const { body } = await postSend(stage.replica, { key: 'a', prefer: 'respond-async' });
    const id = String(body.id);
    const outcome: SendOutcome = { status: 'failed', error: { code: 'expired', message: 'too late' } };
    await recordOutcome(stage.redis, 'default', id, outcome);
    assertError(await postSend(stage.replica, { key: 'a' }), 504, 'timeout');

    await stage.redis.del(jobKey(id), `${keyPrefix}:sends-default:wait`);
    await stage.consumer(sent);
    assert.equal((await postSend(stage.replica, { key: 'a' })).status, 200);
    assert.equal(await stage.redis.exists(attemptKey('default', id)), 0);
  });

  it('sends one new message for twenty concurrent requests after 24 hours', async () => {
    const { sends } = await stage.consumer(sent);
    await postSend(stage.replica, { key: 'a' });
    const [id] = await stage.redis.zrange(`${keyPrefix}:sends-default:completed`, '0', '-1');
    await stage.redis.hset(jobKey(id), 'finishedOn', String(Date.now() - dayMs - 1_000));
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => postSend(i % 2 ? stage.replica : stage.other, { key: 'a' })),
    );
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
    assert.equal(sends.length, 2);
  });

  it('forgets a message that was never sent one day after its expiry', async () => {
    const first = await postSend(stage.replica, { key: 'a', prefer: 'respond-async' });
    const key = jobKey(first.body.id);
    const data = JSON.parse((await stage.redis.hget(key, 'data')) ?? '') as object;
    const expireAt = (notAfter: number) =>
      stage.redis.hset(key, 'data', JSON.stringify({ ...data, notAfter }));

    await expireAt(Date.now() - 1_000);
    const replayed = await postSend(stage.replica, { key: 'a' });
    assertError(replayed, 504, 'timeout');
    assert.equal(replayed.headers.get('idempotent-replayed'), 'true');

    await expireAt(Date.now() - dayMs - 1_000);
    const anew = await postSend(stage.replica, { key: 'a', prefer: 'respond-async' });
    assert.deepEqual([anew.status, anew.body.status], [202, 'queued']);
    assert.deepEqual(await stage.redis.lrange(`${keyPrefix}:sends-default:wait`, 0, -1), [anew.body.id]);
  });
});
