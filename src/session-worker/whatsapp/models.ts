import type { EventData } from '../../contract/events.js';
import { type Chat, chatSchema, type Message, messageSchema, type Person } from '../../contract/whatsapp.js';

/** Converts what leaves the page to the API's types. It is foreign data: no type and no length in it is trusted. */

/** In characters. WhatsApp's own ids and names are shorter, and its messages have at most 65,536. */
const maxLength = { id: 512, name: 512, body: 70_000 } as const;

type Model = Readonly<Record<string, unknown>>;

export function toMessage(model: unknown): Message {
  const m = asModel(model);
  const body = text(m.body, maxLength.body) ?? '';
  return messageSchema.parse({
    id: text(m.id) ?? '',
    from: text(m.from) ?? '',
    to: text(m.to) ?? '',
    author: text(m.author),
    from_me: m.fromMe === true,
    type: text(m.type) ?? 'unknown',
    body,
    timestamp: seconds(m.t),
    has_media: m.hasMedia === true,
    chat_id: text(m.chatId) ?? '',
    sender: toPerson(m.sender),
    // The page cuts at the same length, so a body this long may be cut.
    is_truncated: body.length >= maxLength.body - 1,
  });
}

/** null: it has no id, so no request could refer to it. */
export function toChat(model: unknown): Chat | null {
  const c = asModel(model);
  const id = text(c.id);
  if (id === null) return null;
  const last = c.lastMessage ?? null;
  return chatSchema.parse({
    id,
    name: text(c.name, maxLength.name),
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

/** null: it cannot be related to a message. */
export function toAck(model: unknown): EventData<'message_ack'> | null {
  const { id, chatId, ack } = asModel(model);
  const messageId = text(id);
  const level = typeof ack === 'number' ? Math.trunc(ack) : Number.NaN;
  if (messageId === null || !Number.isSafeInteger(level)) return null;
  return { id: messageId, chat_id: text(chatId) ?? '', ack: level };
}

export function toPerson(model: unknown): Person | null {
  const p = asModel(model);
  const id = text(p.id);
  return id === null
    ? null
    : { id, phone: text(p.phone), lid: text(p.lid), name: text(p.name, maxLength.name) };
}

function asModel(value: unknown): Model {
  return typeof value === 'object' && value !== null ? (value as Model) : {};
}

function text(value: unknown, max: number = maxLength.id): string | null {
  return typeof value === 'string' && value !== '' ? truncate(value, max) : null;
}

/** Never splits a surrogate pair. */
function truncate(value: string, max: number): string {
  if (value.length <= max) return value;
  const last = value.charCodeAt(max - 1);
  return value.slice(0, last >= 0xd800 && last < 0xdc00 ? max - 1 : max);
}

function seconds(value: unknown): number | null {
  const whole = typeof value === 'number' ? Math.trunc(value) : Number.NaN;
  return Number.isSafeInteger(whole) ? whole : null;
}
