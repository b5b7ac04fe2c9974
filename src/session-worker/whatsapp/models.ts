import type { EventData } from '../../contract/events.js';
import { type Chat, chatSchema, type Message, messageSchema, type Person } from '../../contract/whatsapp.js';
import type { FromPage } from './in-page/node-channel.js';

/** Converts what leaves the page to the API's types. It is foreign data: no type and no length in it is trusted. */

/** In characters. WhatsApp's own ids and names are shorter, and its messages have at most 65,536. */
const maxLength = { id: 512, name: 512, body: 70_000 } as const;

type Model = Readonly<Record<string, unknown>>;

/** What happened in a chat. */
export type ChatEvent =
  | { readonly type: 'message'; readonly data: Message }
  | {
      readonly type: 'message_ack';
      readonly data: EventData<'message_ack'>;
      /** Of the message, in Unix seconds. */
      readonly timestamp: number | null;
    };

/** A `FromPage` (in-page/node-channel.ts) as Node has read it. */
export type PageNote =
  | { readonly type: 'events'; readonly events: readonly ChatEvent[]; readonly dropped: number }
  | Exclude<FromPage, { type: 'events' }>;

/** Omits malformed events. null: it is no such message. */
export function toPageNote(message: unknown): PageNote | null {
  const m = asModel(message);
  switch (m.type) {
    case 'events': {
      const events: readonly unknown[] = Array.isArray(m.events) ? m.events : [];
      return { type: 'events', events: events.flatMap(toChatEvent), dropped: whole(m.dropped) ?? 0 };
    }
    case 'socket-state': {
      const state = text(m.state);
      return state === null ? null : { type: 'socket-state', state };
    }
    case 'unlinked':
      return { type: 'unlinked', isConfirmed: m.isConfirmed === true };
    case 'passkey-asked':
      return { type: 'passkey-asked', options: m.options, requests: whole(m.requests) ?? 0 };
    case 'passkey-aborted':
      return { type: 'passkey-aborted' };
    default:
      return null;
  }
}

/** Empty: it is malformed. */
function toChatEvent(event: unknown): ChatEvent | [] {
  const { type, message, t } = asModel(event);
  if (type === 'message') return { type, data: withKind(toMessage(message)) };
  const data = type === 'ack' ? toAck(event) : null;
  return data === null ? [] : { type: 'message_ack', data, timestamp: whole(t) };
}

/** The event of a story or a channel says so: it is not for this account alone. */
function withKind(message: Message): Message {
  const { chat_id, type } = message;
  if (chat_id === 'status@broadcast') return { ...message, type: `story_${type}` };
  return chat_id.endsWith('@newsletter') ? { ...message, type: `channel_${type}` } : message;
}

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
    timestamp: whole(m.t),
    has_media: m.hasMedia === true,
    chat_id: text(m.chatId) ?? '',
    sender: toPerson(m.sender),
    is_truncated: m.isTruncated === true || body.length < lengthOf(m.body),
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
    timestamp: whole(c.t),
    archived: c.archived === true,
    pinned: c.pinned === true,
    muted: c.muted === true,
    last_message: last === null ? null : toMessage(last),
    contact: toPerson(c.contact),
  });
}

/** null: it cannot be related to a message. */
function toAck(model: unknown): EventData<'message_ack'> | null {
  const { id, chatId, ack } = asModel(model);
  const messageId = text(id);
  const level = whole(ack);
  if (messageId === null || level === null) return null;
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

function lengthOf(value: unknown): number {
  return typeof value === 'string' ? value.length : 0;
}

/** Never splits a surrogate pair. */
function truncate(value: string, max: number): string {
  if (value.length <= max) return value;
  const last = value.charCodeAt(max - 1);
  return value.slice(0, last >= 0xd800 && last < 0xdc00 ? max - 1 : max);
}

/** A number without its fraction; null: it is none, or too large. */
function whole(value: unknown): number | null {
  const truncated = typeof value === 'number' ? Math.trunc(value) : Number.NaN;
  return Number.isSafeInteger(truncated) ? truncated : null;
}
