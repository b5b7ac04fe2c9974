import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Availability } from '../../../../src/supervisor/commands/availability.js';
import { SendOrder } from '../../../../src/supervisor/commands/send-order.js';

function newOrder() {
  const availability = new Availability();
  return { availability, order: new SendOrder(availability, () => undefined) };
}

const number = (phoneNumber: string) => ({ phoneNumber, chatId: null });
const id = (chatId: string) => ({ phoneNumber: null, chatId });

describe('the order of a chat', () => {
  it('is the order of acceptance, also for two names of one chat', () => {
    const { availability, order } = newOrder();
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
    assert.equal(byId.predecessors(period + 1), 1, 'a message is in the page for one period');
    byNumber.leave();
    assert.equal(byId.predecessors(period + 1), 0);
  });

  it('lets one message look up the recipient, and the others start after the answer', () => {
    const { availability, order } = newOrder();
    const { period } = availability;
    const places = Array.from({ length: 12 }, () => order.join(number('1')));
    const countStarters = () => places.filter((place) => place.mayStart(period)).length;
    assert.equal(countStarters(), 1);
    places[0]?.onLookupAnswered(period, { chatId: '1@c.us', phone: '1' });
    assert.equal(countStarters(), 8);
    assert.equal(places[1]?.mayStart(period + 1), false, 'another page needs another look-up');
  });

  it('counts an unanswered look-up once for each message that waited for all of it', () => {
    const { availability, order } = newOrder();
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
