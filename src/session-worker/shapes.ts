import { type Chat, chatSchema, type Message, messageSchema, type Person } from '../contract/whatsapp.js';

/** What leaves the page as the API shows it. It is foreign data: nothing in it is trusted. */

type Model = Readonly<Record<string, unknown>>;

export function toMessage(model: unknown): Message {
  const m = asModel(model);
  return messageSchema.parse({
    id: text(m.id) ?? '',
    from: text(m.from) ?? '',
    to: text(m.to) ?? '',
    author: text(m.author),
    from_me: m.fromMe === true,
    type: text(m.type) ?? 'unknown',
    body: text(m.body) ?? '',
    timestamp: seconds(m.t),
    has_media: m.hasMedia === true,
    chat_id: text(m.chatId) ?? '',
    sender: toPerson(m.sender),
  });
}

/** null: it has no id, so nobody could do anything with it. */
export function toChat(model: unknown): Chat | null {
  const c = asModel(model);
  const id = text(c.id);
  if (id === null) return null;
  const last = c.lastMessage ?? null;
  return chatSchema.parse({
    id,
    name: text(c.name),
    is_group: c.isGroup === true,
    is_read_only: c.isReadOnly === true,
    unread_count: Number.isSafeInteger(c.unreadCount) ? c.unreadCount : 0,
    timestamp: seconds(c.t),
    archived: c.archived === true,
    pinned: c.pinned === true,
    muted: c.muted === true,
    last_message: last === null ? null : toMessage(last),
    contact: toPerson(c.contact),
  });
}

export function toPerson(model: unknown): Person | null {
  const p = asModel(model);
  const id = text(p.id);
  return id === null ? null : { id, phone: text(p.phone), lid: text(p.lid), name: text(p.name) };
}

function asModel(value: unknown): Model {
  return typeof value === 'object' && value !== null ? (value as Model) : {};
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function seconds(value: unknown): number | null {
  const whole = typeof value === 'number' ? Math.trunc(value) : Number.NaN;
  return Number.isSafeInteger(whole) ? whole : null;
}
