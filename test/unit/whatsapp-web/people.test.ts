import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lidOf } from '../../whatsapp-web/ids.js';
import { Mailbox } from '../../whatsapp-web/mailbox.js';
import { People, viewOf } from '../../whatsapp-web/people.js';
import { DEFAULT_ACCOUNT } from '../../whatsapp-web/settings.js';

const ME = DEFAULT_ACCOUNT.wid;
const ME_LID = DEFAULT_ACCOUNT.lid;
const ADA = '15551000001@c.us';
const GROUP = '120363000000000001@g.us';
const STRANGER = '98765432101234@lid';

function peopleWithMailbox() {
  const people = new People(DEFAULT_ACCOUNT);
  const mailbox = new Mailbox(
    ME,
    () => 1_700_000_000_000,
    (id) => people.known(id),
  );
  return { people, mailbox };
}

test('every number has one hidden id that leads back to it; an id without a number stays as it is', () => {
  const { people } = peopleWithMailbox();
  const lid = people.lid(people.known('+1 (555) 100-0001'));
  assert.equal(lid, lidOf(ADA));
  assert.match(lid, /^\d{15}@lid$/);
  assert.deepEqual([people.known(lid), people.known(STRANGER)], [ADA, STRANGER]);
  assert.deepEqual([people.lid(ME), people.known(ME_LID)], [ME_LID, ME]);
  assert.notEqual(lidOf('15551000002'), lidOf('15551000001'));
});

test('a message by number and one by hidden id are in one chat', () => {
  const { mailbox } = peopleWithMailbox();
  mailbox.receive({ from: ADA, body: 'a' });
  mailbox.receive({ from: lidOf(ADA), body: 'b' });
  assert.deepEqual(
    mailbox.chats().map(({ id, unreadCount }) => [id, unreadCount]),
    [[ADA, 2]],
  );
});

test('a page sees a record with hidden ids or with numbers, its id included', () => {
  const { people, mailbox } = peopleWithMailbox();
  mailbox.setChat(GROUP, { participants: [ADA] });
  const incoming = mailbox.receive({ from: ADA, chat: GROUP, body: 'x' });
  const own = mailbox.take({ key: '3EB0', chatId: GROUP, body: 'y', type: 'chat', timestamp: 1 });
  const [lids, numbers] = [viewOf(people, true), viewOf(people, false)];

  assert.equal(lids.message(incoming).id, `false_${GROUP}_${incoming.key}_${lidOf(ADA)}`);
  assert.equal(numbers.message(incoming).id, incoming.id);
  assert.equal(lids.message(own).id, `true_${GROUP}_3EB0_${ME_LID}`);
  assert.equal(lids.messageId(own.id), lids.message(own).id);
  assert.equal(people.knownMessageId(lids.message(own).id), own.id);
  const chat = mailbox.setChat(GROUP);
  assert.deepEqual([lids.chat(chat).participants, numbers.chat(chat).participants], [[lidOf(ADA)], [ADA]]);
});

test('a hidden number is in no contact and no name until it is revealed', () => {
  const { people, mailbox } = peopleWithMailbox();
  people.hide('15551000001');
  const chat = mailbox.setChat(ADA);
  const seen = () => JSON.stringify([people.contactsOf([chat], []), viewOf(people, true).chat(chat)]);
  assert.ok(!seen().includes('15551000001'), seen());
  people.reveal(ADA);
  assert.ok(seen().includes('15551000001'));
});
