import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Directory } from '../../whatsapp-web/directory.js';
import { toWid } from '../../whatsapp-web/ids.js';
import { Mailbox } from '../../whatsapp-web/mailbox.js';

const ME = '15550001111@c.us';
const ADA = '15551000001@c.us';
const GROUP = '120363000000000001@g.us';

/** A Mailbox with a clock that only the test moves. */
function stoppedMailbox() {
  const clock = { nowMs: 1_700_000_000_000 };
  return { clock, mailbox: new Mailbox(ME, () => clock.nowMs) };
}

const outgoing = (key: string, body = 'hello') => ({
  key,
  chatId: ADA,
  body,
  type: 'chat',
  timestamp: 1_700_000_000,
});

test('a message that a page sends twice with one id is one message, received twice', () => {
  const { mailbox } = stoppedMailbox();
  const first = mailbox.take(outgoing('3EB0A'));
  assert.equal(mailbox.take(outgoing('3EB0A')), first);
  mailbox.take(outgoing('3EB0B'));

  assert.deepEqual(
    mailbox.received().map(({ id, times }) => [id, times]),
    [
      [`true_${ADA}_3EB0A`, 2],
      [`true_${ADA}_3EB0B`, 1],
    ],
    'control: the same text under another id is another message',
  );
  assert.equal(mailbox.messages(ADA).length, 2);
});

test('messages are ordered by time, and within a second by arrival', () => {
  const { mailbox, clock } = stoppedMailbox();
  for (const body of ['a', 'b', 'c']) mailbox.receive({ from: ADA, body });
  mailbox.receive({ from: ADA, body: 'earlier', timestamp: 1_600_000_000 });
  clock.nowMs += 1_000;
  mailbox.sendFromPhone({ to: ADA, body: 'later' });

  const bodies = mailbox.messages(ADA).map(({ body }) => body);
  assert.deepEqual(bodies, ['earlier', 'a', 'b', 'c', 'later']);
});

test('the chat with the newest message comes first, one without messages last', () => {
  const { mailbox } = stoppedMailbox();
  mailbox.setChat('+1 555 100 0009', { name: 'Nothing yet' });
  mailbox.receive({ from: ADA, body: 'old', timestamp: 1_600_000_000 });
  mailbox.receive({ from: '15551000003', body: 'new' });
  mailbox.receive({ from: '15551000002', body: 'newer, in the same second' });

  assert.deepEqual(
    mailbox.chats().map(({ name, timestamp, unreadCount }) => [name, timestamp, unreadCount]),
    [
      ['+15551000002', 1_700_000_000, 1],
      ['+15551000003', 1_700_000_000, 1],
      ['+15551000001', 1_600_000_000, 1],
      ['Nothing yet', null, 0],
    ],
  );
});

test('a group message has its author, also in its id, and needs the group', () => {
  const { mailbox } = stoppedMailbox();
  assert.throws(() => mailbox.receive({ from: ADA, chat: GROUP, body: 'x' }), /there is no chat/);
  mailbox.setChat(GROUP, { name: 'Team', participants: ['15551000001'] });
  const { id, key, from, author } = mailbox.receive({ from: ADA, chat: GROUP, body: 'x' });
  assert.deepEqual([id, from, author], [`false_${GROUP}_${key}_${ADA}`, GROUP, ADA]);
});

test('acks rise and never fall', () => {
  const { mailbox } = stoppedMailbox();
  const { id } = mailbox.take(outgoing('3EB0A'));
  assert.equal(mailbox.raiseAck(id, 3).ack, 3);
  assert.equal(mailbox.raiseAck(id, 2).ack, 3);
  assert.throws(() => mailbox.raiseAck('true_x_y', 2), /there is no message/);
});

test('a number may be written in any way; a text that is neither number nor id is refused', () => {
  assert.deepEqual([toWid('+1 (555) 100-0001'), toWid(GROUP)], [ADA, GROUP]);
  assert.throws(() => toWid('Ada'), /neither a number nor an id/);
});

test('every number is on WhatsApp unless it was removed; after set() only those listed', () => {
  const directory = new Directory();
  assert.deepEqual([directory.find(ADA), directory.find('15550009999@c.us')], [ADA, null]);
  directory.remove(ADA);
  assert.equal(directory.find(ADA), null);
  directory.add('15551000001', '15551000002');
  assert.equal(directory.find(ADA), '15551000002@c.us');

  directory.set(['15551000003']);
  assert.deepEqual([directory.find('15551000003@c.us'), directory.find(ADA)], ['15551000003@c.us', null]);
});

test('a story has its author, a channel message none, and neither needs a chat', () => {
  const { mailbox } = stoppedMailbox();
  const story = mailbox.receive({ from: ADA, chat: 'status@broadcast', body: 'x' });
  assert.deepEqual([story.id, story.author], [`false_status@broadcast_${story.key}_${ADA}`, ADA]);
  const channel = '120363111111111111@newsletter';
  const news = mailbox.receive({ from: channel, chat: channel, body: 'x' });
  assert.deepEqual([news.id, news.author], [`false_${channel}_${news.key}`, null]);
});

test('the id of a message to oneself ends with "out"', () => {
  const { mailbox } = stoppedMailbox();
  assert.equal(mailbox.take({ ...outgoing('3EB0A'), chatId: ME }).id, `true_${ME}_3EB0A_out`);
});
