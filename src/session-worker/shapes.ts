import { type Chat, chatSchema, type Message, messageSchema } from '../contract/whatsapp.js';

/** The library's and the page's models as the API shows them. They are foreign data: nothing in them is trusted. */

type Model = Readonly<Record<string, unknown>>;

export function toMessage(model: unknown): Message {
  const m = asModel(model);
  return messageSchema.parse({
    id: serialized(m.id) ?? '',
    from: serialized(m.from) ?? '',
    to: serialized(m.to) ?? '',
    author: serialized(m.author),
    from_me: (m.id as Model | undefined)?.fromMe === true || m.fromMe === true,
    type: typeof m.type === 'string' ? m.type : 'unknown',
    body: textOf(m),
    timestamp: seconds(m.t ?? m.timestamp),
    has_media: m.hasMedia === true || Boolean(m.directPath) || Boolean(m.mediaKey),
  });
}

export function toChat(model: unknown): Chat {
  const c = asModel(model);
  const last = c.lastMessage ?? null;
  return chatSchema.parse({
    id: serialized(c.id) ?? '',
    name: text(c.formattedTitle) ?? text(c.name),
    is_group: c.isGroup === true,
    is_read_only: c.isReadOnly === true,
    unread_count: Number.isInteger(c.unreadCount) ? c.unreadCount : 0,
    timestamp: seconds(c.t ?? c.timestamp),
    archived: c.archive === true || c.archived === true,
    pinned: Boolean(c.pin ?? c.pinned),
    muted: c.isMuted === true,
    last_message: last === null ? null : toMessage(last),
  });
}

/** Newest activity first; chats without any come last. */
export function byActivity(a: Chat, b: Chat): number {
  return (b.timestamp ?? 0) - (a.timestamp ?? 0);
}

function asModel(value: unknown): Model {
  return typeof value === 'object' && value !== null ? (value as Model) : {};
}

/** Of media the caption is the text; `body` holds a thumbnail then. */
function textOf(m: Model): string {
  const isMedia = Boolean(m.mediaKey) || Boolean(m.directPath);
  return text(isMedia ? m.caption : m.body) ?? '';
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function seconds(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? Math.trunc(value) : null;
}

/** An id is an object with `_serialized` in a model, and a string after some conversions. */
function serialized(value: unknown): string | null {
  if (typeof value === 'string') return value === '' ? null : value;
  const inner = asModel(value)._serialized;
  return typeof inner === 'string' ? inner : null;
}
