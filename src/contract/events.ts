import { z } from 'zod';
import { bounds } from './bounds.js';
import { cutDeep, cutText, jsonBytes } from './json-size.js';
import { passkeyStatusSchema } from './passkey.js';
import { accountSchema, type Status, statusSchema } from './status.js';
import { type Message, messageSchema } from './whatsapp.js';

const ackMeaning =
  '-1: it failed; 0: it waits in the page; 1: WhatsApp has it; 2: it is on the phone of the recipient; 3: it was read; 4: it was played (voice)';

/** The data of the events of `GET /api/events`, by type. */
export const eventSchemas = {
  state: statusSchema,
  qr: z.object({
    available: z.boolean(),
    number: z.int().nullable(),
    expires_at: z.iso.datetime().nullable(),
  }),
  message: messageSchema,
  message_ack: z.object({ id: z.string(), chat_id: z.string(), ack: z.int().describe(ackMeaning) }),
  account: accountSchema.nullable(),
  passkey: passkeyStatusSchema
    .pick({ step: true, id: true, expires_at: true })
    .nullable()
    .describe('the request for a passkey; null: it is over'),
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

/** The events that report a change of the status. */
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
  const passkey = passkeyData(after);
  if (JSON.stringify(passkeyData(before)) !== JSON.stringify(passkey)) events.push(event('passkey', passkey));
  return events;
}

function passkeyData(status: Status | null): EventData<'passkey'> {
  const passkey = status?.passkey ?? null;
  return passkey && { step: passkey.step, id: passkey.id, expires_at: passkey.expires_at };
}

/** The limits for an event that is too long even with a cut body: bytes of each text, entries of each list. */
const cutLimits = { text: 1_024, items: 16 };

/**
 * The event as it is stored, with at most {@link bounds.eventSize} bytes. Of a message that is too long the body is cut, and
 * `is_truncated` says so. If that is not enough, every text and list of the event is cut. `json` is null if the event is still
 * too long.
 */
export function storedEvent(event: SessionEvent): { readonly json: string | null; readonly isCut: boolean } {
  const whole = JSON.stringify(event);
  if (isWithin(whole)) return { json: whole, isCut: false };
  const cut = event.type === 'message' ? withShortBody(event as SessionEvent<'message'>) : event;
  const json = [cut, cutDeep(cut, cutLimits.text, cutLimits.items)]
    .map((each) => JSON.stringify(each))
    .find(isWithin);
  return { json: json ?? null, isCut: true };
}

function withShortBody(event: SessionEvent<'message'>): SessionEvent<'message'> {
  const truncated = (body: string): SessionEvent<'message'> => ({
    ...event,
    data: { ...event.data, body, is_truncated: true } satisfies Message,
  });
  const room = bounds.eventSize - jsonBytes(truncated(''));
  // Without room, the other fields alone are too long. They are cut next, so the body must be short by then.
  return truncated(cutText(event.data.body, room > 0 ? room : cutLimits.text));
}

function isWithin(json: string): boolean {
  // UTF-8 takes at most three bytes for each UTF-16 unit. So the bytes of most events need not be counted.
  return json.length * 3 <= bounds.eventSize || Buffer.byteLength(json) <= bounds.eventSize;
}
