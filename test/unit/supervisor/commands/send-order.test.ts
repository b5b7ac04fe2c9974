import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { SendJob } from '../../../../src/contract/command-jobs.js';
import type { ToThread } from '../../../../src/contract/thread-messages.js';
import { deferred } from '../../../../src/platform/deadline.js';
import { Availability } from '../../../../src/supervisor/commands/availability.js';
import { ChatAliases } from '../../../../src/supervisor/commands/chat-aliases.js';
import { LookupLimiter } from '../../../../src/supervisor/commands/lookup-limiter.js';
import type { PreparedSend } from '../../../../src/supervisor/commands/send-batch.js';
import { SendBatcher } from '../../../../src/supervisor/commands/send-batcher.js';
import { SendOrder, type SendPlace } from '../../../../src/supervisor/commands/send-order.js';
import type { Incarnation } from '../../../../src/supervisor/incarnation.js';
import { CommandInterruptedError, ThreadRpc } from '../../../../src/supervisor/thread-rpc.js';
import { eventually } from '../../../support/eventually.js';

type Command = Extract<ToThread, { type: 'command' }>;

const rpcs: ThreadRpc[] = [];

/** Nobody answers any more. */
afterEach(() => {
  for (const rpc of rpcs.splice(0)) rpc.close();
});

/** A ready session with a page that answers when the test says so. */
function stage() {
  const calls: Command[] = [];
  const rpc = new ThreadRpc((message) => calls.push(message as Command));
  const incarnation = { commands: rpc } as unknown as Incarnation;
  const availability = new Availability();
  availability.update(incarnation, 'ready');
  const batcher: SendBatcher = new SendBatcher(
    availability,
    () => Date.now() + 1_000,
    () => undefined,
  );
  const order = new SendOrder(availability, (chat) => batcher.dispatch(chat));
  const texts = ({ input }: Command) =>
    (input as { messages: { message: string }[] }).messages.map(({ message }) => message);
  rpcs.push(rpc);
  return {
    ...{ calls, rpc, incarnation, availability, batcher, order },
    called: () => calls.map(texts),
    hand: (send: PreparedSend) => void batcher.handOver(send).catch(() => undefined),
    answerAll(call: Command | undefined) {
      if (call !== undefined)
        rpc.settle({ type: 'answer', id: call.id, output: texts(call).map(() => ({ type: 'sent' })) });
    },
  };
}

const data: Omit<SendJob, 'message'> = {
  ...{ phoneNumber: '15551234567', chatId: null, linkPreview: true, markSeen: true },
  ...{ requestHash: 'x', requestId: 'r', wid: null, notAfter: 0, wipedEpoch: 0 },
};

function prepared(
  place: SendPlace,
  period: number,
  message: string,
  more: Partial<PreparedSend> = {},
): PreparedSend {
  const attempt = { chatId: 'c', messageId: message, phone: null, profileId: 'p', at: 0 };
  const record = async () => 'recorded' as const;
  return { jobId: message, job: { ...data, message }, place, attempt, period, record, ...more };
}

const number = (phoneNumber: string) => ({ phoneNumber, chatId: null });
const id = (chatId: string) => ({ phoneNumber: null, chatId });

describe('what is handed to the page', () => {
  it('is not handed to a page that loaded anew while Redis recorded the attempt', async () => {
    const { availability, incarnation, batcher, order, calls } = stage();
    const recording = deferred<'recorded'>();
    const send = prepared(order.join(number('1')), availability.period, 'B', {
      record: () => recording.promise,
    });
    const handed = batcher.handOver(send);
    handed.catch(() => undefined);
    availability.update(incarnation, 'authenticated');
    availability.update(incarnation, 'ready');
    recording.resolve('recorded');
    await assert.rejects(handed, CommandInterruptedError);
    assert.deepEqual(calls, []);
  });

  it('is not handed on when its chat became one with another, whose older message the page does not have', async () => {
    const { availability, batcher, order, calls, called, answerAll } = stage();
    const { period } = availability;
    const older = order.join(id('a@lid'));
    const recording = deferred<'recorded'>();
    const newer = order.join(number('1'));
    const handed = batcher.handOver(prepared(newer, period, 'newer', { record: () => recording.promise }));
    order.joinChats('1@c.us', { chatId: 'a@lid', phone: null });
    recording.resolve('recorded');
    assert.equal(await handed, 'again');
    assert.deepEqual(calls, []);
    const olderHanded = batcher.handOver(prepared(older, period, 'older'));
    const newerHanded = batcher.handOver(prepared(newer, period, 'newer'));
    await eventually(() => calls.length === 1);
    answerAll(calls[0]);
    await eventually(() => calls.length === 2);
    answerAll(calls[1]);
    assert.deepEqual(await Promise.all([olderHanded, newerHanded]), ['sent', 'sent']);
    assert.deepEqual(called(), [['older'], ['newer']]);
  });

  it('is interrupted, and so not asked for again at once, where the page says nothing of it', async () => {
    const { availability, batcher, order, calls, rpc } = stage();
    const handed = batcher.handOver(prepared(order.join(number('1')), availability.period, 'first'));
    handed.catch(() => undefined);
    await eventually(() => calls.length === 1);
    rpc.settle({ type: 'answer', id: calls[0]?.id ?? '', output: [] });
    await assert.rejects(handed, CommandInterruptedError);
  });

  it('waits for those before it in its chat, and for no other chat', async () => {
    const { availability, hand, order, called, calls, answerAll } = stage();
    const { period } = availability;
    const first = order.join(number('1'));
    const second = order.join(number('1'));
    const other = order.join(number('2'));
    hand(prepared(second, period, 'second'));
    hand(prepared(other, period, 'other'));
    await eventually(() => calls.length === 1);
    hand(prepared(first, period, 'first'));
    await eventually(() => calls.length === 2);
    assert.deepEqual(called(), [['other'], ['first', 'second']]);
    answerAll(calls[1]);
    answerAll(calls[0]);
    const next = order.join(number('1'));
    assert.equal(next.predecessors(period), 2);
    await eventually(() => next.predecessors(period) === 0);
  });

  it('is at most 16 of one chat and 64 in all that are not acknowledged', async () => {
    const { availability, batcher, hand, order, calls, answerAll, called } = stage();
    const { period } = availability;
    const places: SendPlace[] = [];
    for (const chat of ['1', '2', '3', '4', '5', '6']) {
      for (let i = 0; i < 20; i++) {
        const place = order.join(number(chat));
        places.push(place);
        hand(prepared(place, period, `${chat}.${i}`));
      }
    }
    let answered = 0;
    const count = () => called().flat().length;
    await eventually(() => {
      while (answered < calls.length) answerAll(calls[answered++]);
      return count() === 64;
    });
    for (const chat of ['1', '2', '3', '4', '5', '6'])
      assert.ok(
        called()
          .flat()
          .filter((text) => text.startsWith(`${chat}.`)).length <= 16,
      );
    // One is acknowledged: another one has room.
    const [front] = places as [SendPlace];
    batcher.release(front);
    front.leave();
    await eventually(() => count() === 65);
  });

  it('is one id of a chat in a call', async () => {
    const { availability, hand, order, calls, called, answerAll } = stage();
    const { period } = availability;
    const front = order.join(number('1'));
    const a = order.join(number('1'));
    const b = order.join(number('1'));
    const other = { chatId: 'd', messageId: 'b', phone: null, profileId: 'p', at: 0 };
    hand(prepared(b, period, 'b', { attempt: other }));
    hand(prepared(a, period, 'a'));
    hand(prepared(front, period, 'front'));
    await eventually(() => calls.length === 1);
    assert.deepEqual(called(), [['front', 'a']]);
    answerAll(calls[0]);
    await eventually(() => calls.length === 2);
    assert.deepEqual(called()[1], ['b']);
  });
});

describe('the order of a chat', () => {
  it('is that of acceptance, also of two names that turn out to be one chat', () => {
    const { availability, order } = stage();
    const { period } = availability;
    const byNumber = order.join(number('5585988887777'));
    const byId = order.join(id('7@lid'));
    const last = order.join(number('5585988887777'));
    assert.deepEqual(
      [byNumber, byId, last].map((place) => place.predecessors(period)),
      [0, 0, 1],
    );
    byNumber.onLookupAnswered(period, { chatId: '7@lid', phone: null });
    assert.deepEqual(
      [byNumber, byId, last].map((place) => place.predecessors(period)),
      [0, 1, 2],
    );
    byNumber.markInPage(period);
    assert.equal(byId.predecessors(period), 0);
    assert.equal(byId.predecessors(period + 1), 1, 'what the page has, it has for one period');
    byNumber.leave();
    assert.equal(byId.predecessors(period + 1), 0);
  });

  it('lets one ask who the recipient is, and the next ones once that was answered', () => {
    const { availability, order } = stage();
    const { period } = availability;
    const places = Array.from({ length: 12 }, () => order.join(number('1')));
    const beginners = () => places.filter((place) => place.mayStart(period)).length;
    assert.equal(beginners(), 1);
    places[0]?.onLookupAnswered(period, { chatId: '1@c.us', phone: '1' });
    assert.equal(beginners(), 8);
    assert.equal(places[1]?.mayStart(period + 1), false, 'another page is asked anew');
  });

  it('counts an unanswered look-up once for each who waited for all of it', () => {
    const { availability, order } = stage();
    const before = order.join(number('1'));
    const otherChat = order.join(number('2'));
    const since = performance.now();
    const later = order.join(number('1'));
    for (let twice = 0; twice < 2; twice++) before.onLookupUnanswered(since);
    const counts = () => [before, later, otherChat].map((place) => place.unansweredLookups);
    assert.deepEqual(counts(), [1, 0, 0]);
    before.onLookupUnanswered(performance.now());
    assert.deepEqual(counts(), [2, 1, 0]);
    before.onLookupAnswered(availability.period, { chatId: '1@c.us', phone: null });
    assert.deepEqual(counts(), [0, 0, 0]);
  });
});

describe('the names of chats', () => {
  it('lead to one key, whatever is learned in which order, and in a circle', () => {
    const chats = new ChatAliases();
    chats.join('a', 'b');
    chats.join('c', 'd');
    chats.join('b', 'c');
    assert.equal(chats.join('d', 'a'), null);
    assert.equal(new Set(['a', 'b', 'c', 'd'].map((name) => chats.keyOf(name))).size, 1);
  });

  it('are forgotten beyond 10,000, those first that were not used', () => {
    const chats = new ChatAliases();
    chats.join('kept', 'K');
    chats.join('left', 'L');
    for (let i = 0; i < 9_998; i++) chats.join(`name ${i}`, `chat ${i}`);
    chats.keyOf('kept');
    chats.join('another', 'A');
    assert.deepEqual([chats.keyOf('kept'), chats.keyOf('left')], ['K', 'left']);
  });
});

describe('look-ups', () => {
  it('are eight at once, and one that hangs makes room for another', async () => {
    const lookups = new LookupLimiter(() => false);
    let begun = 0;
    const hang = () => {
      begun++;
      return new Promise<never>(() => undefined);
    };
    for (let i = 0; i < 8; i++) void lookups.run(hang);
    const answer = lookups.run(async () => 'answered');
    await Promise.resolve();
    assert.equal(begun, 8);
    assert.equal(await Promise.race([answer, 'not yet']), 'not yet');
    assert.equal(await answer, 'answered');
  });

  it('are held up while enough is prepared', async () => {
    let isHeldUp = true;
    const lookups = new LookupLimiter(() => isHeldUp);
    const answer = lookups.run(async () => 'answered');
    assert.equal(
      await Promise.race([answer, new Promise((resolve) => setImmediate(resolve, 'held up'))]),
      'held up',
    );
    isHeldUp = false;
    lookups.startNext();
    assert.equal(await answer, 'answered');
  });
});
