import { z } from 'zod';
import { bounds } from './bounds.js';
import { cutDeep, cutText, jsonBytes } from './json-size.js';
import { accountSchema, type Status, statusSchema } from './status.js';
import { type Message, messageSchema } from './whatsapp.js';

/** What `GET /api/events` tells, by type. */
export const eventSchemas = {
  state: statusSchema,
  qr: z.object({
    available: z.boolean(),
    number: z.int().nullable(),
    expires_at: z.iso.datetime().nullable(),
  }),
  message: messageSchema,
  message_ack: z.object({ id: z.string(), chat_id: z.string(), ack: z.int() }),
  account: accountSchema.nullable(),
} as const;

export type EventType = keyof typeof eventSchemas;
export type EventData<Type extends EventType> = z.infer<(typeof eventSchemas)[Type]>;

export interface SessionEvent<Type extends EventType = EventType> {
  readonly type: Type;
  readonly session: string;
  /** ISO 8601 */
  readonly at: string;
  readonly data: EventData<Type>;
}

/** What a change from one status to the next is in events. */
export function eventsOfChange(before: Status | null, after: Status): SessionEvent[] {
  const at = after.updated_at ?? new Date().toISOString();
  const event = <Type extends EventType>(type: Type, data: EventData<Type>): SessionEvent => ({
    type,
    session: after.session,
    at,
    data,
  });
  const events: SessionEvent[] = [event('state', after)];
  if (JSON.stringify(before?.qr ?? null) !== JSON.stringify(after.qr)) {
    const { number = null, expires_at = null } = after.qr ?? {};
    events.push(event('qr', { available: after.has_qr, number, expires_at }));
  }
  if (JSON.stringify(before?.account ?? null) !== JSON.stringify(after.account)) {
    events.push(event('account', after.account));
  }
  return events;
}

/** Of what is too long for all that: nothing in it is worth more than that something is told. */
const rest = { text: 1_024, items: 16 };

/**
 * The event as it is stored, within its bound: of a message the body is cut, and says so; else every text of it. null: not even
 * so. `isCut`: it tells less than happened.
 */
export function storedEvent(event: SessionEvent): { readonly json: string | null; readonly isCut: boolean } {
  const whole = JSON.stringify(event);
  if (isWithin(whole)) return { json: whole, isCut: false };
  const cut = event.type === 'message' ? withShortBody(event as SessionEvent<'message'>) : event;
  const json = [cut, cutDeep(cut, rest.text, rest.items)].map((each) => JSON.stringify(each)).find(isWithin);
  return { json: json ?? null, isCut: true };
}

function withShortBody(event: SessionEvent<'message'>): SessionEvent<'message'> {
  const told = (body: string): SessionEvent<'message'> => ({
    ...event,
    data: { ...event.data, body, is_truncated: true } satisfies Message,
  });
  const room = bounds.eventSize - jsonBytes(told(''));
  // Where the rest alone is too long, that is cut next, and the body stays short.
  return told(cutText(event.data.body, room > 0 ? room : rest.text));
}

function isWithin(json: string): boolean {
  // No character takes more than three bytes of UTF-8 for each of its units.
  return json.length * 3 <= bounds.eventSize || Buffer.byteLength(json) <= bounds.eventSize;
}
