import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { SendJob } from '../../../../src/contract/command-jobs.js';
import type { ToThread } from '../../../../src/contract/thread-messages.js';
import { deferred } from '../../../../src/platform/deadline.js';
import { SharedPace } from '../../../../src/platform/session-pace.js';
import { Availability } from '../../../../src/supervisor/commands/availability.js';
import type { PreparedSend } from '../../../../src/supervisor/commands/send-batch.js';
import { SendBatcher } from '../../../../src/supervisor/commands/send-batcher.js';
import { SendOrder, type SendPlace } from '../../../../src/supervisor/commands/send-order.js';
import type { Incarnation } from '../../../../src/supervisor/incarnation.js';
import { CommandInterruptedError, ThreadRpc } from '../../../../src/supervisor/thread-rpc.js';
import { eventually } from '../../../support/eventually.js';

type Command = Extract<ToThread, { type: 'command' }>;

const rpcs: ThreadRpc[] = [];

/** Ends all open calls. */
afterEach(() => {
  for (const rpc of rpcs.splice(0)) rpc.close();
});

/** A ready session with a page that answers when the test calls `answerAll`. */
function stage(pace = new SharedPace(20)) {
  const calls: Command[] = [];
  const rpc = new ThreadRpc((message) => calls.push(message as Command));
  const incarnation = { commands: rpc } as unknown as Incarnation;
  const availability = new Availability();
  availability.update(incarnation, 'ready');
  const batcher: SendBatcher = new SendBatcher({
    availability,
    pace,
    actUntil: () => Date.now() + 1_000,
    onRoom: () => undefined,
    onHandOver: () => undefined,
    ending: new AbortController().signal,
  });
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

describe('the send batcher', () => {
  it('does not call a page that reloaded while Redis recorded the attempt', async () => {
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

  it('defers a message whose chat was joined with another that has an older message', async () => {
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

  it('interrupts a message that the answer of the page leaves out', async () => {
    const { availability, batcher, order, calls, rpc } = stage();
    const handed = batcher.handOver(prepared(order.join(number('1')), availability.period, 'first'));
    handed.catch(() => undefined);
    await eventually(() => calls.length === 1);
    rpc.settle({ type: 'answer', id: calls[0]?.id ?? '', output: [] });
    await assert.rejects(handed, CommandInterruptedError);
  });

  it('waits for earlier messages of the chat, and for no other chat', async () => {
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

  it('has at most 16 unacknowledged messages of one chat, and 64 in all', async () => {
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
    // One acknowledgement makes room for another message.
    const [front] = places as [SendPlace];
    batcher.release(front);
    front.leave();
    await eventually(() => count() === 65);
  });

  it('calls the page for one chat id at a time', async () => {
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

  it('gives each chat its turn while the session keeps its pace', async () => {
    const pace = new SharedPace(100);
    const { availability, hand, order, calls, called, answerAll } = stage(pace);
    const { period } = availability;
    // A session that sends now and then: because of it, those with a queue have a pace.
    pace.ofSession(() => undefined, new AbortController().signal).take(1);
    const handTo = (chat: string, count: number) => {
      for (let i = 0; i < count; i++) hand(prepared(order.join(number(chat)), period, chat));
    };
    let answered = 0;
    const calledOf = (chat: string) =>
      called()
        .flat()
        .filter((text) => text === chat).length;
    const until = (isSo: () => boolean) =>
      eventually(() => {
        while (answered < calls.length) answerAll(calls[answered++]);
        return isSo();
      });
    handTo('1', 16);
    await until(() => calledOf('1') >= 9);
    handTo('2', 1);
    await until(() => calledOf('2') === 1);
    assert.ok(calledOf('1') < 16, `${calledOf('1')} of the other chat`);
    await until(() => calledOf('1') === 16);
  });
});
