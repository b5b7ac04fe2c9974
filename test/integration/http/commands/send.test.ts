import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { jobViewSchema, type SendOutcome } from '../../../../src/contract/command-jobs.js';
import { logoutResults } from '../../../../src/contract/intent.js';
import { keyPrefix, sessionKeys } from '../../../../src/contract/keys.js';
import { deferred } from '../../../../src/platform/deadline.js';
import { type CommandStage, startCommandStage } from '../../../support/command-stage.js';
import { eventually } from '../../../support/eventually.js';
import { linkedAccount as account } from '../../../support/held-session.js';
import { startReplica } from '../../../support/http-replica.js';
import { sentOutcome } from '../../../support/scripted-commands.js';
import { assertError, getJob, postSend } from '../../../support/send-client.js';

const sent = { send: async (job: Parameters<typeof sentOutcome>[0]) => sentOutcome(job) };

describe('POST /api/send', () => {
  let stage: CommandStage;

  before(async () => {
    stage = await startCommandStage();
  });
  afterEach(() => stage.clear());
  after(() => stage.close());

  const jobs = () => stage.redis.keys(`${keyPrefix}:sends-default:[mk]-*`);

  it('answers as the reference API does once WhatsApp has the message', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account });
    const { sends } = await stage.consumer(sent);
    const answer = await postSend(stage.replica, { to: '+1 (555) 123-4567' });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    assert.deepEqual(Object.keys(answer.body), ['ok', 'to', 'chat_id', 'message_id', 'timestamp']);
    assert.deepEqual([answer.body.to, answer.body.chat_id], ['15551234567', '15551234567@c.us']);
    assert.deepEqual([sends[0]?.phoneNumber, sends[0]?.wid], ['15551234567', account.wid]);
  });

  it('sends to a chat id as to a number', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account });
    const { sends } = await stage.consumer(sent);
    for (const chat_id of ['98765432101234@lid', '15551234567@c.us', '120363000000000001@g.us']) {
      const { status, body } = await postSend(stage.replica, { more: { chat_id } });
      assert.deepEqual([status, body.chat_id, body.to], [200, chat_id, chat_id], JSON.stringify(body));
    }
    assert.deepEqual(
      sends.map(({ phoneNumber, chatId }) => [phoneNumber, chatId]),
      [
        [null, '98765432101234@lid'],
        [null, '15551234567@c.us'],
        [null, '120363000000000001@g.us'],
      ],
    );
  });

  it('passes on link_preview and mark_seen, which default to true', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account });
    const { sends } = await stage.consumer(sent);
    for (const more of [{}, { link_preview: false }, { mark_seen: false }]) {
      assert.equal((await postSend(stage.replica, { more })).status, 200);
    }
    assert.deepEqual(
      sends.map(({ linkPreview, markSeen }) => [linkPreview, markSeen]),
      [
        [true, true],
        [false, true],
        [true, false],
      ],
    );
  });

  it('keeps every character of the message', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account });
    const { sends } = await stage.consumer(sent);
    const messages = [
      'Zeile 1\nZeile 2\r\n\tZeile 4',
      '  leading and trailing  ',
      'naïve Ünïcödé 漢字 العربية 👩‍👩‍👧‍👦',
      'quote " back \\ slash / null \u0000 sep \u2028',
      ' ',
      '€'.repeat(65_536),
    ];
    for (const message of messages) assert.equal((await postSend(stage.replica, { message })).status, 200);
    assert.deepEqual(
      sends.map(({ message }) => message),
      messages,
    );
  });

  it('keeps the order of the calls', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account });
    const texts = Array.from({ length: 20 }, (_, i) => `message ${i}`);
    for (const [i, message] of texts.entries()) {
      await postSend(i % 2 ? stage.replica : stage.other, { message, prefer: 'respond-async' });
    }
    const { sends } = await stage.consumer(sent);
    await eventually(() => sends.length === texts.length);
    assert.deepEqual(
      sends.map(({ message }) => message),
      texts,
    );
  });

  it('sends a hundred concurrent messages on two replicas once each', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account });
    const { sends } = await stage.consumer(sent);
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        postSend(i % 2 ? stage.replica : stage.other, { message: `${i}`, prefer: 'wait=60' }),
      ),
    );
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
    assert.equal(new Set(sends.map(({ message }) => message)).size, 100);
    assert.equal(sends.length, 100);
  });

  it('answers 202 with the job and its URL, where the job shows its progress', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account });
    const answer = await postSend(stage.replica, { prefer: 'respond-async', message: 'later' });
    assert.equal(answer.status, 202);
    assert.equal(answer.headers.get('preference-applied'), 'respond-async');
    const { url, ...view } = answer.body;
    assert.equal(url, `${stage.replica.url}/api/jobs/${view.id}`);
    assert.equal(answer.headers.get('location'), url);
    assert.match(answer.headers.get('retry-after') ?? '', /^\d+$/);
    const parsed = jobViewSchema.strict().parse(view);
    assert.deepEqual(Object.keys(view), Object.keys(jobViewSchema.shape));
    assert.equal(parsed.status, 'queued');
    const livesMs = Date.parse(parsed.expires_at) - Date.parse(parsed.created_at);
    assert.ok(Math.abs(livesMs - 3_600_000) < 60_000, `${livesMs} ms`);

    const maySend = deferred<void>();
    await stage.consumer({
      async send(job) {
        await maySend.promise;
        return sentOutcome(job);
      },
    });
    const active = await eventually(async () => {
      const now = await getJob(stage.other, view.id);
      assert.equal(now.status, 'active');
      return now;
    });
    assert.equal(active.attempts, 1);
    maySend.resolve();
    const done = await eventually(async () => {
      const now = await getJob(stage.other, view.id);
      assert.equal(now.status, 'sent');
      return now;
    });
    assert.equal(done.result?.to, '15551234567');
    assert.equal(done.error, null);
    assert.ok(done.updated_at >= done.created_at);
  });

  it('waits first with respond-async and wait, and answers 200 if the message is sent in time', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account });
    await stage.consumer(sent);
    const answer = await postSend(stage.replica, { prefer: 'respond-async, wait=10' });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('preference-applied'), 'respond-async, wait=10');
  });

  it('waits its default time when the preference is invalid', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account });
    const impatient = await startReplica(stage.server.url, { timing: { commandWaitMs: 300 } });
    stage.open.push(impatient);
    const startedAt = performance.now();
    const answer = await postSend(impatient, { prefer: 'wait=soon' });
    assert.equal(answer.status, 202);
    assert.equal(answer.headers.get('preference-applied'), null);
    assert.ok(performance.now() - startedAt < 15_000, 'not the usual minute');
  });

  it('expires after the configured time', async () => {
    await stage.held();
    const hasty = await startReplica(stage.server.url, { environment: { WHATSAPP_SEND_TTL_S: '60' } });
    stage.open.push(hasty);
    const { body } = await postSend(hasty, { prefer: 'respond-async' });
    const leftMs = Date.parse(String(body.expires_at)) - Date.now();
    assert.ok(leftMs > 30_000 && leftMs <= 60_000, `${leftMs} ms`);
  });

  for (const [outcome, status, code] of [
    [failed('not_on_whatsapp'), 422, 'not_on_whatsapp'],
    [failed('whatsapp_error'), 502, 'whatsapp_error'],
    [failed('account_changed'), 409, 'login_required'],
    [failed('expired'), 504, 'timeout'],
    [{ ...failed('not_acknowledged'), status: 'unknown' }, 502, 'whatsapp_error'],
    [{ ...failed('interrupted'), status: 'unknown' }, 502, 'whatsapp_error'],
  ] as [Extract<SendOutcome, { error: unknown }>, number, string][]) {
    it(`${outcome.status} as ${outcome.error.code} is answered ${status} ${code} with the job`, async () => {
      const { run } = await stage.held();
      await run.publish('ready', { account });
      await stage.consumer({ send: async () => outcome });
      const error = assertError(await postSend(stage.replica), status, code);
      assert.equal(error.message, 'because');
      const job = await getJob(stage.other, error.job_id);
      assert.deepEqual([job.status, job.error, job.result], [outcome.status, outcome.error, null]);
    });
  }

  it('still sends when its client leaves', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account });
    const leaving = new AbortController();
    const left = postSend(stage.replica, { signal: leaving.signal });
    await eventually(async () => (await jobs()).length === 1);
    leaving.abort();
    await assert.rejects(left);
    const { sends } = await stage.consumer(sent);
    await eventually(() => sends.length === 1);
  });

  it('answers with the job when the server closes', async () => {
    await stage.held();
    const closing = await startReplica(stage.server.url);
    const waiting = postSend(closing, { prefer: 'wait=60' });
    await eventually(async () => (await jobs()).length === 1);
    await closing.close();
    const { status, body } = await waiting;
    assert.equal(status, 202);
    assert.equal((await getJob(stage.replica, body.id)).status, 'queued');
  });

  it('fails waiting messages and deletes their text at a logout without an owner', async () => {
    const session = await stage.held();
    await session.run.publish('ready', { account });
    const ids: unknown[] = [];
    for (let i = 0; i < 120; i++) {
      const answer = await postSend(stage.replica, {
        message: `Grüße ${i}`,
        prefer: 'respond-async',
        key: `${i}`,
      });
      ids.push(answer.body.id);
    }
    const before = await stage.redis.hgetall(`${keyPrefix}:sends-default:${String(ids[7])}`);
    const waiting = postSend(stage.other, { message: 'somebody waits', prefer: 'wait=60' });
    await eventually(async () => (await jobs()).length === 121);
    await session.owner.crash();
    assert.deepEqual(await (await stage.replica.post('/api/logout')).json(), {
      ok: true,
      ...logoutResults.noOwner,
    });

    assertError(await waiting, 409, 'login_required');
    for (const id of ids) {
      const job = await getJob(stage.other, id);
      assert.deepEqual([job.status, job.error?.code], ['failed', 'account_changed']);
    }
    for (const key of await jobs()) {
      assert.equal(
        (JSON.parse((await stage.redis.hget(key, 'data')) ?? '') as { message: null }).message,
        null,
      );
    }
    const { data, ...rest } = await stage.redis.hgetall(`${keyPrefix}:sends-default:${String(ids[7])}`);
    const { data: dataBefore, ...restBefore } = before;
    assert.deepEqual(rest, restBefore);
    assert.deepEqual(JSON.parse(data ?? ''), { ...JSON.parse(dataBefore ?? ''), message: null });
    // The next login may be another account's: none of these messages is for it.
    const again = assertError(
      await postSend(stage.replica, { message: 'Grüße 7', key: '7' }),
      409,
      'login_required',
    );
    assert.equal(again.job_id, ids[7]);
    assert.notEqual(await stage.redis.get(sessionKeys('default').wiped), null);
  });

  it('keeps waiting messages at a stop without an owner', async () => {
    const session = await stage.held();
    const { body } = await postSend(stage.replica, { prefer: 'respond-async' });
    await session.owner.crash();
    await stage.replica.post('/api/stop');
    assert.equal((await getJob(stage.replica, body.id)).status, 'queued');
  });
});

function failed(code: Extract<SendOutcome, { error: unknown }>['error']['code']): SendOutcome {
  return { status: 'failed', error: { code, message: 'because' } };
}
