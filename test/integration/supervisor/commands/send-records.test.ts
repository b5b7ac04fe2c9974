import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { SendJob } from '../../../../src/contract/command-jobs.js';
import { attemptKey, quarantineKey } from '../../../../src/contract/keys.js';
import { eventually } from '../../../support/eventually.js';
import { assertNothingLeft } from '../../../support/leftovers.js';
import { type SendStage, someNumber, withSends } from '../../../support/send-stage.js';
import { openRedis } from '../../../support/shared-redis.js';

/** A malformed record or job in Redis fails only itself, and those of an earlier version are read. */
const redis = await openRedis();

after(async () => {
  await redis.stop();
  await assertNothingLeft();
});

const chatId = `${someNumber}@c.us`;

async function ready(stage: SendStage): Promise<void> {
  await stage.run('ready');
  await stage.observer.untilReady();
}

/** The profile id is known once the session has sent a message. */
async function attemptOn(stage: SendStage): Promise<Record<string, unknown>> {
  const { profileId } = stage.readNote();
  return { profileId, chatId, at: Date.parse('2026-11-28T10:00:00Z') };
}

const unreadable = {
  status: 'unknown',
  error: {
    code: 'interrupted',
    message: 'the record of an earlier attempt cannot be read; it is not known whether the message was sent',
  },
};

for (const [what, record] of Object.entries({
  'is not JSON': '{"attempt":',
  'is not a record': '[1]',
  'has an attempt of another shape': '{"attempt":{"profileId":7},"outcome":null}',
  'has an id that is not a string': `{"attempt":{"profileId":"p","chatId":"c","messageId":{},"at":1},"outcome":null}`,
  'has an outcome of another shape': '{"attempt":null,"outcome":{"status":"perhaps"}}',
})) {
  test(`a record that ${what} settles its send as unknown, and the next one is sent`, () =>
    withSends(redis, async (stage) => {
      await stage.leaveRecord('m-unreadable', record);
      await stage.add({ id: 'm-unreadable', job: { phoneNumber: someNumber, message: 'unreadable' } });
      const [next = ''] = await stage.accept('next');
      await ready(stage);
      assert.deepEqual(await stage.settled('m-unreadable'), unreadable);
      assert.equal((await stage.settled(next)).status, 'sent');
      assert.deepEqual(stage.sentTexts(), ['next']);
      assert.equal(stage.hasLogged('a step of a send failed; trying again'), false);
      const complaints = stage.logLines.filter(({ msg }) => msg === 'the record of a send cannot be read');
      assert.deepEqual(
        complaints.map(({ jobId }) => jobId),
        ['m-unreadable'],
      );
      const key = attemptKey(stage.observer.session, 'm-unreadable');
      assert.equal(await stage.observer.redis.get(quarantineKey(key)), record);
    }));
}

test('a record of the wrong type settles an expired send as unknown', () =>
  withSends(redis, async (stage) => {
    await stage.leaveRecord('m-unreadable', '');
    const [key = ''] = (await stage.observer.redis.keys('*m-unreadable*')).filter((name) =>
      name.includes('m-unreadable'),
    );
    await stage.observer.redis.multi().del(key).lpush(key, 'a list').exec();
    await stage.add({ id: 'm-unreadable', job: { phoneNumber: someNumber, notAfter: Date.now() - 1 } });
    await ready(stage);
    assert.deepEqual(await stage.settled('m-unreadable'), unreadable);
  }));

for (const [what, messageId] of Object.entries({ missing: undefined, null: null, empty: '' })) {
  test(`an attempt whose recorded message id is ${what} settles as unknown at once, and blocks nothing`, () =>
    withSends(redis, async (stage) => {
      await ready(stage);
      const record = { attempt: { ...(await attemptOn(stage)), messageId }, outcome: null };
      await stage.leaveRecord('m-old', JSON.stringify(record));
      await stage.add({ id: 'm-old', job: { phoneNumber: someNumber, message: 'old' } });
      const [next = ''] = await stage.accept('next');
      const outcome = await stage.settled('m-old');
      assert.equal(outcome.status === 'unknown' && outcome.error.code, 'interrupted');
      assert.equal((await stage.settled(next)).status, 'sent');
      assert.deepEqual(stage.sentTexts(), ['next']);
    }));
}

test('a job, an attempt and an outcome of an earlier version are read', () =>
  withSends(redis, async (stage) => {
    await ready(stage);
    const jobOfBefore = (message: string) =>
      ({
        ...{ phoneNumber: someNumber, message, requestHash: 'x', requestId: 'r', wid: null, wipedEpoch: 0 },
        notAfter: Date.now() + 600_000,
      }) as SendJob;
    const lost = { ...(await attemptOn(stage)), messageId: `true_${chatId}_m-lost` };
    await stage.leaveRecord('m-lost', JSON.stringify({ attempt: lost, outcome: null }));
    const result = { ok: true, to: someNumber, chat_id: chatId, timestamp: '2026-11-28T10:00:00.000Z' };
    const settled = { attempt: null, outcome: { status: 'sent', result } };
    await stage.leaveRecord('m-settled', JSON.stringify(settled));
    for (const id of ['m-fresh', 'm-lost', 'm-settled'])
      await stage.queue.add('send', jobOfBefore(id), { jobId: id, attempts: 1 });
    for (const id of ['m-fresh', 'm-lost']) {
      const outcome = await stage.settled(id);
      assert.deepEqual(outcome.status === 'sent' && [outcome.result.to, outcome.result.chat_id], [
        someNumber,
        chatId,
      ]);
    }
    assert.deepEqual(await stage.settled('m-settled'), {
      status: 'sent',
      result: { ...result, message_id: null },
    });
    assert.deepEqual(stage.sentTexts(), ['m-fresh', 'm-lost']);
    const [message] = stage.scripted.calls().flatMap(({ input }) => (input.messages as object[]) ?? []);
    assert.deepEqual(message, {
      ...{ jobId: 'm-fresh', chatId, messageId: `true_${chatId}_m-fresh`, message: 'm-fresh' },
      ...{ linkPreview: true, markSeen: true },
    });
  }));

test('after a crash the result has the chat of the attempt record', () =>
  withSends(redis, async (stage) => {
    stage.scripted.setLookUps({ [someNumber]: { chatId: '77@lid', phone: '15551230000' } });
    stage.scripted.holdAcks('hello');
    await ready(stage);
    const [id = ''] = await stage.accept('hello');
    await eventually(() => stage.sentTexts().length === 1);
    stage.scripted.setLookUps({ [someNumber]: 'never answers' });
    for (const pid of stage.scripted.browsersAlive()) process.kill(pid, 'SIGKILL');
    await eventually(() => stage.scripted.threads().length === 2);
    stage.scripted.holdAcks(null);
    const outcome = await stage.settled(id);
    assert.deepEqual(outcome.status === 'sent' && [outcome.result.to, outcome.result.chat_id], [
      '15551230000',
      '77@lid',
    ]);
    assert.deepEqual(stage.sentTexts(), ['hello']);
  }));

test('a job with invalid times is sent once', () =>
  withSends(redis, async (stage) => {
    await stage.add({ id: 'm-unreadable', job: { phoneNumber: someNumber, message: 'unreadable' } });
    await stage.observer.redis.hset(stage.queue.toKey('m-unreadable'), {
      timestamp: 'x',
      delay: '{',
      priority: 'x',
    });
    const [next = ''] = await stage.accept('next');
    await ready(stage);
    assert.equal((await stage.settled('m-unreadable')).status, 'sent');
    assert.equal((await stage.settled(next)).status, 'sent');
    assert.deepEqual(stage.sentTexts(), ['unreadable', 'next']);
    assert.equal(stage.hasLogged('a step of a send failed; trying again'), false);
  }));

test('a job whose data has another shape is not sent, is logged and blocks nothing', () =>
  withSends(redis, async (stage) => {
    await ready(stage);
    for (const [id, data] of Object.entries({
      'm-list': [],
      'm-field': { phoneNumber: 5, message: 'secret' },
    }))
      await stage.queue.add('send', data as never, { jobId: id, attempts: 1 });
    const [next = ''] = await stage.accept('next');
    assert.equal((await stage.settled(next)).status, 'sent');
    for (const id of ['m-list', 'm-field']) {
      const outcome = await stage.settled(id);
      assert.deepEqual(outcome.status === 'failed' && outcome.error.code, 'interrupted');
      assert.doesNotMatch(JSON.stringify(await stage.queue.getJob(id)), /secret/);
    }
    const complaints = stage.logLines.filter(({ msg }) => /data of a send cannot be read/.test(String(msg)));
    assert.deepEqual(complaints.map(({ jobId }) => jobId).sort(), ['m-field', 'm-list']);
    assert.match(
      (await stage.observer.redis.get(quarantineKey(stage.queue.toKey('m-field')))) ?? '',
      /secret/,
    );
    assert.doesNotMatch(JSON.stringify(stage.logLines), /secret/);
  }));

test('a job that Redis lost during its send does not delay later ones', () =>
  withSends(redis, async (stage) => {
    await ready(stage);
    stage.scripted.holdAcks('lost');
    const [lost = ''] = await stage.accept('lost');
    await eventually(() => stage.sentTexts().includes('lost'));
    await stage.observer.redis.del(stage.queue.toKey(lost));
    stage.scripted.holdAcks(null);
    await eventually(() => stage.logLines.some(({ jobId, msg }) => jobId === lost && msg === 'send settled'));
    const [next = ''] = await stage.accept('next');
    assert.equal((await stage.settled(next)).status, 'sent');
    assert.deepEqual(stage.sentTexts(), ['lost', 'next']);
  }));

test('a record that Redis refuses for a while is not taken for unreadable', () =>
  withSends(redis, async (stage) => {
    await ready(stage);
    const client = stage.observer.redis;
    await client.acl('SETUSER', 'default', '-get');
    try {
      const [id = ''] = await stage.accept('hello');
      await eventually(() => stage.hasLogged('a step of a send failed; trying again'));
      await client.acl('SETUSER', 'default', '+get');
      assert.equal((await stage.settled(id)).status, 'sent');
      assert.equal(await client.exists(quarantineKey(attemptKey(stage.observer.session, id))), 0);
    } finally {
      await client.acl('SETUSER', 'default', '+get');
    }
  }));

for (const when of ['while a session runs', 'before its owner starts'] as const) {
  test(`a job that is not JSON, ${when}, fails and blocks nothing`, () =>
    withSends(redis, async (stage) => {
      if (when === 'while a session runs') await ready(stage);
      await stage.queue.pause();
      await stage.add({ id: 'm-unreadable', job: { phoneNumber: someNumber } });
      await stage.observer.redis.hset(stage.queue.toKey('m-unreadable'), 'data', 'secret{');
      await stage.queue.resume();
      const [next = ''] = await stage.accept('next');
      if (when === 'before its owner starts') {
        // As a dead owner leaves it.
        await stage.observer.redis.lmove(
          stage.queue.toKey('wait'),
          stage.queue.toKey('active'),
          'RIGHT',
          'LEFT',
        );
        await ready(stage);
      }
      assert.equal((await stage.settled(next)).status, 'sent');
      await eventually(async () => (await stage.queue.getJobState('m-unreadable')) === 'failed');
      assert.equal(await stage.queue.getActiveCount(), 0);
      assert.ok(stage.hasLogged('a command cannot be read; it is not carried out'));
      assert.doesNotMatch(JSON.stringify(stage.logLines), /secret/);
      assert.doesNotMatch(
        JSON.stringify(await stage.observer.redis.hgetall(stage.queue.toKey('m-unreadable'))),
        /secret/,
      );
    }));
}

for (const [what, spoil] of Object.entries({
  'an id without a job': (stage: SendStage) => stage.observer.redis.del(stage.queue.toKey('m-unreadable')),
  'an id of a list': (stage: SendStage) => {
    const key = stage.queue.toKey('m-unreadable');
    return stage.observer.redis.multi().del(key).rpush(key, 'x').exec();
  },
  'a job whose options are not JSON': (stage: SendStage) =>
    stage.observer.redis.hset(stage.queue.toKey('m-unreadable'), 'opts', '{'),
  'a job whose options are null': (stage: SendStage) =>
    stage.observer.redis.hset(stage.queue.toKey('m-unreadable'), 'opts', 'null'),
})) {
  test(`${what} in the queue blocks nothing`, () =>
    withSends(redis, async (stage) => {
      await stage.add({ id: 'm-unreadable', job: { phoneNumber: someNumber, message: 'unreadable' } });
      await spoil(stage);
      const [next = ''] = await stage.accept('next');
      await ready(stage);
      assert.equal((await stage.settled(next)).status, 'sent');
      await eventually(async () => (await stage.queue.getActiveCount()) === 0);
      assert.deepEqual(stage.sentTexts(), ['next']);
    }));
}
