import type { EventData } from '../../contract/events.js';
import { type Chat, chatSchema, type Message, messageSchema, type Person } from '../../contract/whatsapp.js';

/** What leaves the page as the API shows it. It is foreign data: nothing in it is trusted, the length of its texts neither. */

/** In characters. WhatsApp's own ids and names are shorter, and its messages have 65,536 at most. */
const longest = { id: 512, name: 512, body: 70_000 } as const;

type Model = Readonly<Record<string, unknown>>;

export function toMessage(model: unknown): Message {
  const m = asModel(model);
  const body = text(m.body, longest.body) ?? '';
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
    // The page cuts there too, so that it may be the whole of it.
    is_truncated: body.length >= longest.body - 1,
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
    name: text(c.name, longest.name),
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

/** null: it is none that anybody could relate to a message. */
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
    : { id, phone: text(p.phone), lid: text(p.lid), name: text(p.name, longest.name) };
}

function asModel(value: unknown): Model {
  return typeof value === 'object' && value !== null ? (value as Model) : {};
}

function text(value: unknown, most: number = longest.id): string | null {
  return typeof value === 'string' && value !== '' ? beginningOf(value, most) : null;
}

/** Never half a character. */
function beginningOf(value: string, most: number): string {
  if (value.length <= most) return value;
  const last = value.charCodeAt(most - 1);
  return value.slice(0, last >= 0xd800 && last < 0xdc00 ? most - 1 : most);
}

function seconds(value: unknown): number | null {
  const whole = typeof value === 'number' ? Math.trunc(value) : Number.NaN;
  return Number.isSafeInteger(whole) ? whole : null;
}
