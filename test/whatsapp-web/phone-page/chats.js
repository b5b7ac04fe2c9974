// The list of chats, an open chat, and the form to write to the account as another person.

import { ask, byId, clock, element, say, whenChanged } from './dom.js';

const ACKS = {
  1: { ticks: '✓', words: 'sent', className: '' },
  2: { ticks: '✓✓', words: 'delivered', className: '' },
  3: { ticks: '✓✓', words: 'read', className: 'read' },
};

let openId = null;
let chats = [];
/** The displayed text of each id: its number if there is one. */
const numbers = new Map();

export async function refreshChats() {
  chats = await ask('POST', '/phone/chats', []);
  const open = chats.find(({ id }) => id === openId);
  drawList(open ? [] : chats);
  byId('chats').hidden = open !== undefined;
  byId('chat').hidden = open === undefined;
  if (!open) return;
  byId('chat-name').textContent = open.name;
  const messages = await ask('POST', '/phone/messages', [openId]);
  for (const { author } of messages) if (author) await learnNumber(author);
  drawMessages(messages);
}

async function learnNumber(id) {
  if (numbers.has(id)) return;
  numbers.set(id, (await ask('POST', '/phone/numberOf', [id])) ?? id);
}

export function startChats() {
  // The list scrolls, so it must be reachable by keyboard.
  byId('messages').tabIndex = 0;
  byId('back').onclick = async () => {
    const leftId = openId;
    openId = null;
    await refreshChats().catch(() => {});
    byId('chats')
      .querySelector(`[data-id="${CSS.escape(leftId)}"]`)
      ?.focus();
  };
  byId('write-form').onsubmit = (event) => {
    event.preventDefault();
    void write();
  };
  // As in common chat apps: Enter sends, Shift+Enter breaks the line.
  byId('body').onkeydown = (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    byId('write-form').requestSubmit();
  };
}

async function open({ id, isGroup, unreadCount, participants }) {
  openId = id;
  byId('messages').replaceChildren();
  const writer = isGroup ? participants[0] : id;
  if (writer) {
    await learnNumber(writer).catch(() => {});
    byId('from').value = numbers.get(writer) ?? writer;
  }
  if (unreadCount > 0) await ask('POST', '/phone/markRead', [id]).catch(() => {});
  await refreshChats().catch((error) => say('written', error.message, true));
  byId('back').focus();
}

async function write() {
  const body = byId('body').value;
  const group = chats.find(({ id, isGroup }) => id === openId && isGroup);
  try {
    await ask('POST', '/phone/receive', [
      { from: byId('from').value, body, ...(group ? { chat: group.id } : {}) },
    ]);
    byId('body').value = '';
    say('written', group ? `Sent to ${group.name}.` : 'Sent.');
    await refreshChats();
  } catch (error) {
    say('written', error.message, true);
  }
}

const drawList = whenChanged((all) => {
  byId('chats').replaceChildren(
    ...(all.length > 0 ? all.map(chatRow) : [element('li', 'None yet.', 'soft')]),
  );
});

function chatRow(chat) {
  const { id, name, lastMessage, unreadCount } = chat;
  const row = element('li', '');
  const button = element('button', '');
  button.type = 'button';
  button.dataset.id = id;
  button.onclick = () => void open(chat);
  const last = element('span', lastMessage ? textOf(lastMessage) : 'No messages', 'last');
  last.dir = 'auto';
  button.append(element('span', name, 'title'));
  button.append(lastMessage ? element('time', clock(lastMessage.timestamp * 1000)) : element('span', ''));
  button.append(last);
  if (unreadCount > 0) {
    const badge = element('span', String(unreadCount), 'badge');
    badge.append(hiddenText(' unread'));
    button.append(badge);
  }
  row.append(button);
  return row;
}

/** Appends new messages and updates acks in place, so that a screen reader reads only what is new. */
const drawMessages = (messages) => {
  const list = byId('messages');
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  for (const message of messages) {
    const row = list.querySelector(`[data-id="${CSS.escape(message.id)}"]`);
    if (!row) list.append(messageRow(message));
    else if (row.dataset.ack !== String(message.ack)) row.replaceWith(messageRow(message));
  }
  if (isAtEnd) list.scrollTop = list.scrollHeight;
};

function messageRow(message) {
  const { id, ack, author, fromMe, timestamp } = message;
  const row = element('div', '', fromMe ? 'own' : '');
  row.dataset.id = id;
  row.dataset.ack = ack;
  if (author) row.append(element('p', numbers.get(author) ?? author, 'author'));
  const text = element('p', textOf(message), 'text');
  text.dir = 'auto';
  const about = element('p', '', 'about');
  about.append(element('time', clock(timestamp * 1000)));
  if (fromMe) {
    const { ticks, words, className } = ACKS[ack];
    about.append(element('span', ` ${ticks} ${words}`, className));
  }
  row.append(text, about);
  return row;
}

function textOf({ body, hasMedia, type }) {
  return hasMedia ? `[${type}] ${body}` : body;
}

function hiddenText(text) {
  const made = element('span', text);
  made.style.cssText = 'position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)';
  return made;
}
