import { z } from 'zod';
import { accountSchema, type Status, statusSchema } from './status.js';
import { messageSchema } from './whatsapp.js';

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

/** A session's stream keeps so many events, for so long. */
export const eventCap = 10_000;
export const eventAgeMs = 86_400_000;

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
