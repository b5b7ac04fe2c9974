import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { idOfNumber } from '../../../../src/contract/whatsapp.js';
import { eventually } from '../../../support/eventually.js';
import { assertNothingLeft } from '../../../support/leftovers.js';
import { numbered, type SendStage, withSends } from '../../../support/send-stage.js';
import { openRedis } from '../../../support/shared-redis.js';

/** Each chat keeps its order, and a hanging recipient delays only itself. */
const redis = await openRedis();

after(async () => {
  await redis.stop();
  await assertNothingLeft();
});

const hanging = '15550000001';
const others = Array.from({ length: 20 }, (_, i) => `155511100${10 + i}`);

async function ready(stage: SendStage): Promise<void> {
  await stage.run('ready');
  await stage.observer.untilReady();
}

const lookUpsOf = (stage: SendStage, phoneNumber: string) =>
  stage.scripted
    .calls()
    .filter(({ operation, input }) => operation === 'prepareSend' && input.phoneNumber === phoneNumber);

const assertAllSentSoon = (stage: SendStage, ids: readonly string[]) =>
  eventually(
    async () => {
      const outcomes = await Promise.all(ids.map((id) => stage.outcome(id)));
      assert.deepEqual(new Set(outcomes.map((outcome) => outcome?.status)), new Set(['sent']));
      return true;
    },
    // The hanging recipient would delay them for 35 s.
    { timeoutMs: 15_000, message: 'they are sent at once' },
  );

test('a number with a hanging look-up and 100 waiting messages delays no other', () =>
  withSends(redis, async (stage) => {
    stage.scripted.setLookUps({ [hanging]: 'never answers' });
    await ready(stage);
    const stuck = await stage.acceptFor({ phoneNumber: hanging }, ...numbered(100, 'stuck'));
    await eventually(() => lookUpsOf(stage, hanging).length > 0);
    const ids: string[] = [];
    for (const phoneNumber of others)
      ids.push(...(await stage.acceptFor({ phoneNumber }, `1 to ${phoneNumber}`, `2 to ${phoneNumber}`)));
    await assertAllSentSoon(stage, ids);
    assert.equal(lookUpsOf(stage, hanging).length, 1, 'one look-up at a time for a recipient');
    assert.equal((await stage.outcome(stuck[0] as string)) ?? null, null);
    for (const phoneNumber of others) {
      const texts = stage.sentTexts().filter((text) => text.endsWith(phoneNumber));
      assert.deepEqual(texts, [`1 to ${phoneNumber}`, `2 to ${phoneNumber}`]);
    }
  }));

test('many numbers with hanging look-ups delay no other', () =>
  withSends(redis, async (stage) => {
    const silent = Array.from({ length: 30 }, (_, i) => `155522200${10 + i}`);
    stage.scripted.setLookUps(Object.fromEntries(silent.map((number) => [number, 'never answers'])));
    await ready(stage);
    await stage.add(...silent.map((phoneNumber) => ({ id: `m-${phoneNumber}`, job: { phoneNumber } })));
    await assertAllSentSoon(stage, await stage.acceptFor({ phoneNumber: others[0] as string }, 'a', 'b'));
  }));

test('chats with hanging sends delay no other', () =>
  withSends(redis, async (stage) => {
    const chats = Array.from({ length: 12 }, (_, i) => `155533300${10 + i}`);
    stage.scripted.holdSends(...chats.map(idOfNumber));
    await ready(stage);
    for (const phoneNumber of chats) await stage.acceptFor({ phoneNumber }, ...numbered(10, 'held'));
    const sendsOf = () => stage.scripted.calls().filter(({ operation }) => operation === 'sendTexts').length;
    await eventually(() => sendsOf() >= chats.length, { message: 'a send to each of them' });
    const phoneNumber = others[0] as string;
    await assertAllSentSoon(stage, await stage.acceptFor({ phoneNumber }, ...numbered(20)));
    assert.deepEqual(stage.sentTexts(), numbered(20));
  }));

test('a page with a hanging send is replaced, and the next one sends the message', () =>
  withSends(
    redis,
    async (stage) => {
      stage.scripted.neverEndSends(idOfNumber(hanging));
      await ready(stage);
      await stage.acceptFor({ phoneNumber: hanging }, 'first', 'second');
      await eventually(() => stage.scripted.threads().length === 2, { message: 'the page is replaced' });
      stage.scripted.neverEndSends();
      await stage.untilAllSent();
      assert.deepEqual(stage.sentTexts(), ['first', 'second']);
      const restart = stage.logLines.find(({ msg }) => msg === 'restarting session worker');
      assert.equal(restart?.lastError, 'WhatsApp Web did not finish a send within 1 s');
      assert.equal(restart?.restartLevel, 'thread', 'in the same browser, if it closes the page in time');
    },
    { timing: { sendHungMs: 800 } },
  ));

test('a message whose send hangs on two pages settles as unknown, and later ones are sent in the same run', () =>
  withSends(
    redis,
    async (stage) => {
      stage.scripted.neverEndSends(idOfNumber(hanging));
      await ready(stage);
      const [first = '', second = ''] = await stage.acceptFor({ phoneNumber: hanging }, 'first', 'second');
      assert.deepEqual(await stage.settled(first), {
        status: 'unknown',
        error: {
          code: 'interrupted',
          message:
            'WhatsApp Web began to send the message 2 times and did not finish it; it is not known whether it was sent',
        },
      });
      assert.equal(stage.scripted.threads().length, 3);
      stage.scripted.neverEndSends();
      assert.equal((await stage.settled(second)).status, 'sent');
      assert.deepEqual(stage.sentTexts(), ['second']);
    },
    { timing: { sendHungMs: 800 }, restartsMax: 1 },
  ));

test('a replaced page counts for every message that it was sending, in all chats', () =>
  withSends(
    redis,
    async (stage) => {
      const chats = others.slice(0, 4);
      stage.scripted.neverEndSends(...chats.map(idOfNumber));
      const ids: string[] = [];
      for (const phoneNumber of chats) ids.push(...(await stage.acceptFor({ phoneNumber }, 'endless')));
      await ready(stage);
      for (const id of ids) assert.equal((await stage.settled(id)).status, 'unknown');
      assert.equal(stage.scripted.threads().length, 3, 'two pages for all of them, and the next');
    },
    { timing: { sendHungMs: 3_000 } },
  ));

test('messages of one chat go to the page in one call, those of another chat in another', () =>
  withSends(redis, async (stage) => {
    const [first = '', second = ''] = others;
    await stage.add(
      ...numbered(20).map((message, i) => {
        const job = { phoneNumber: i % 2 ? first : second, message, linkPreview: i < 10, markSeen: i >= 10 };
        return { id: `m-${i}`, job };
      }),
    );
    await ready(stage);
    await stage.untilAllSent();
    type Message = { chatId: string; message: string; linkPreview: boolean; markSeen: boolean };
    const calls = stage.scripted
      .calls()
      .filter(({ operation }) => operation === 'sendTexts')
      .map(({ input }) => input.messages as Message[]);
    for (const messages of calls) assert.equal(new Set(messages.map(({ chatId }) => chatId)).size, 1);
    assert.ok(calls.length < 12, `${calls.length} calls`);
    for (const { message, linkPreview, markSeen } of calls.flat()) {
      const i = numbered(20).indexOf(message);
      assert.deepEqual([linkPreview, markSeen], [i < 10, i >= 10]);
    }
  }));

test('a number and the id that WhatsApp returns for it are one chat once that is known', () =>
  withSends(redis, async (stage) => {
    const number = '5585988887777';
    const chatId = '123456789@lid';
    stage.scripted.setLookUps({ [number]: { chatId, phone: '558588887777' } });
    await ready(stage);
    const [known = ''] = await stage.acceptFor({ phoneNumber: number }, 'known');
    const outcome = await stage.settled(known);
    assert.deepEqual(outcome.status === 'sent' && [outcome.result.chat_id, outcome.result.to], [
      chatId,
      '558588887777',
    ]);
    // Under each of its names: if these counted as several chats, the order would be random.
    stage.scripted.setLookUps({
      [number]: 'is unanswered',
      '558588887777': { chatId },
    });
    const [first = ''] = await stage.acceptFor({ phoneNumber: number }, 'first');
    await eventually(() => lookUpsOf(stage, number).length >= 2);
    await stage.acceptFor({ chatId }, 'second');
    await stage.acceptFor({ phoneNumber: '558588887777' }, 'third');
    stage.scripted.setLookUps({ [number]: { chatId }, '558588887777': { chatId } });
    await stage.settled(first);
    await stage.untilAllSent();
    assert.deepEqual(stage.sentTexts(), ['known', 'first', 'second', 'third']);
  }));

test('a message fails unsent after three look-ups without an answer', () =>
  withSends(redis, async (stage) => {
    stage.scripted.setLookUps({ [hanging]: 'is unanswered' });
    await stage.run('stays authenticated', 'ready');
    const ids = await stage.acceptFor({ phoneNumber: hanging }, 'one', 'two');
    // The owner takes both before the first look-up: only its next thread is ready.
    await eventually(async () => (await stage.queue.getActiveCount()) === 2);
    await stage.observer.until(({ state }) => state === 'authenticated', 'on its way');
    for (const pid of stage.scripted.browsersAlive()) process.kill(pid, 'SIGKILL');
    for (const id of ids) {
      assert.deepEqual(await stage.settled(id), {
        status: 'failed',
        error: {
          code: 'whatsapp_error',
          message: 'WhatsApp did not answer whether the recipient is on WhatsApp',
        },
      });
    }
    assert.equal(lookUpsOf(stage, hanging).length, 3, 'both waited for the same look-ups');
    assert.deepEqual(stage.sentTexts(), []);
    stage.scripted.setLookUps({});
    await stage.settled((await stage.acceptFor({ phoneNumber: hanging }, 'three'))[0] as string);
    assert.deepEqual(stage.sentTexts(), ['three']);
  }));

test('a look-up that its page cut off by ending does not count as unanswered', () =>
  withSends(redis, async (stage) => {
    stage.scripted.setLookUps({ [hanging]: 'never answers' });
    await ready(stage);
    const [id = ''] = await stage.acceptFor({ phoneNumber: hanging }, 'through restarts');
    for (let lives = 1; lives <= 3; lives++) {
      await eventually(() => lookUpsOf(stage, hanging).length === lives, { timeoutMs: 30_000 });
      if (lives === 3) stage.scripted.setLookUps({});
      for (const pid of stage.scripted.browsersAlive()) process.kill(pid, 'SIGKILL');
    }
    assert.equal((await stage.settled(id)).status, 'sent');
    assert.deepEqual(stage.sentTexts(), ['through restarts']);
  }));

test('a look-up that its page cut off by a reload does not count as unanswered', () =>
  withSends(redis, async (stage) => {
    stage.scripted.setLookUps({ [hanging]: 'is interrupted' });
    await ready(stage);
    const [id = ''] = await stage.acceptFor({ phoneNumber: hanging }, 'through a reload');
    await eventually(() => lookUpsOf(stage, hanging).length >= 5, { timeoutMs: 30_000 });
    stage.scripted.setLookUps({});
    assert.equal((await stage.settled(id)).status, 'sent');
  }));

test('a message for which the page gives no id fails before its attempt is recorded', () =>
  withSends(redis, async (stage) => {
    const answers = [
      { messageId: null },
      { messageId: '' },
      { messageId: { id: 1 } },
      { chatId: 5 },
      { chatId: '' },
    ];
    const numbers = answers.map((_, i) => `155544400${10 + i}`);
    stage.scripted.setLookUps(Object.fromEntries(answers.map((answer, i) => [numbers[i], answer])));
    await ready(stage);
    for (const phoneNumber of numbers) {
      const [id = ''] = await stage.acceptFor({ phoneNumber }, 'lost');
      assert.deepEqual(await stage.settled(id), {
        status: 'failed',
        error: { code: 'whatsapp_error', message: 'WhatsApp Web gave no id for the message' },
      });
    }
    const calls = stage.scripted.calls().map(({ operation }) => operation);
    assert.equal(calls.includes('sendTexts'), false);
  }));
