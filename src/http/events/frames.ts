import { z } from 'zod';
import { ApiError } from '../../contract/errors.js';
import { type EventType, eventSchemas, type SessionEvent } from '../../contract/events.js';
import { parseAs } from '../../contract/json.js';
import type { Position } from '../../platform/store/event-positions.js';
import type { EventPage } from '../../platform/store/event-stream.js';
import { memoizeLast } from '../core/coalesce.js';

/** Encodes session events as server-sent events, and selects those that a client gets. */

/** An event and its frames. Each is encoded once for all clients. */
export interface FramedEvent {
  /** null: the event is not in the stream, and a client's position does not change. */
  readonly id: string | null;
  readonly session: string;
  /** {@link gapType}: the session's stream no longer has the event; the frame says so. */
  readonly type: string;
  readonly json: string;
  readonly frame: Buffer;
  /** null: a guest does not get the event. */
  guestFrame(): Buffer | null;
  /** For callers who must not learn that there are other sessions. */
  readonly boundFrame: Buffer;
}

/** The frame that a client gets for an event; null: the client does not get the event. */
export type FrameSelector = (event: FramedEvent) => Buffer | null;

const publicTypes: ReadonlySet<string> = new Set(Object.keys(eventSchemas));

/** Selects the events of these types, or of all public types for null. Internal events are never selected. */
export function selectTypes(types: ReadonlySet<string> | null, isBound: boolean): FrameSelector {
  return (event) => {
    if (!(types ?? publicTypes).has(event.type)) return null;
    return isBound ? event.boundFrame : event.frame;
  };
}

/**
 * Selects what a guest gets: `state` reduced to the bare state, and `qr`, both without event ids. Throws `forbidden`
 * for other types.
 */
export function selectForGuest(types: ReadonlySet<EventType> | null): FrameSelector {
  const wanted = types ?? new Set<EventType>(['state', 'qr']);
  if ([...wanted].some((type) => type !== 'state' && type !== 'qr')) {
    throw new ApiError('forbidden', 'a QR link gives access only to events of the types state and qr');
  }
  return (event) => (wanted.has(event.type as EventType) ? event.guestFrame() : null);
}

export const gapType = 'gap';

export function framedEntry(entry: EventPage['entries'][number]): FramedEvent {
  if ('json' in entry) return framed(entry);
  const frame = gapFrame(entry.session, entry.oldestId);
  return { ...entry, type: gapType, json: '', frame, guestFrame: () => frame, boundFrame: frame };
}

/**
 * Frames an event that is not in the stream: a client cannot resume after it. `forBound`: the event for callers who must not learn
 * that there are other sessions.
 */
export function framedUnstored(session: string, event: SessionEvent, forBound: SessionEvent): FramedEvent {
  const { type } = event;
  return {
    ...framed({ id: null, session, type, json: JSON.stringify(event) }),
    boundFrame: eventFrame(type, JSON.stringify(forBound), null),
  };
}

function framed(event: Pick<FramedEvent, 'id' | 'session' | 'type' | 'json'>): FramedEvent {
  const { id, session, type, json } = event;
  const guestFrame = memoizeLast(() => guestFrameOf(type, json));
  const frame = eventFrame(type, json, id);
  return { id, session, type, json, frame, guestFrame, boundFrame: frame };
}

const ofEvent = { type: z.string(), session: z.string(), at: z.string() };

/** What a guest gets of an event, by type. Its other fields are removed. */
const guestSchemas: Readonly<Record<string, z.ZodObject>> = {
  state: z.object({ ...ofEvent, data: z.object({ state: z.string() }) }),
  qr: z.object({ ...ofEvent, data: eventSchemas.qr }),
};

/** null: the type is not for guests, or the event in Redis has another shape. */
function guestFrameOf(type: string, json: string): Buffer | null {
  const schema = guestSchemas[type];
  const event = schema === undefined ? null : parseAs(schema, json);
  return event === null ? null : eventFrame(type, JSON.stringify(event), null);
}

/** `session`: {@link everySession} if it concerns all. `oldestId`: null if nothing is kept. `oldest_id` is also at the top level, where API clients expect it. */
export function gapFrame(session: string, oldestId: string | null): Buffer {
  const gap = { oldest_id: oldestId };
  const json = JSON.stringify({ type: gapType, session, at: new Date().toISOString(), data: gap, ...gap });
  return eventFrame(gapType, json, null);
}

/** The first bytes of a stream. With a position, a client can resume even before its first event. */
export function openingFrame(position: Position | null): Buffer {
  return Buffer.from(`retry: 2000\n${idLine(position)}\n`);
}

/** Keeps the connection alive. A position also moves the client past events that it does not get. */
export function pingFrame(position: Position | null): Buffer {
  return Buffer.from(`: ping\n${idLine(position)}\n`);
}

/** An `id` line without data is not an event: it only sets the client's last event id. */
function idLine(position: Position | null): string {
  return position === null || position === '-' ? '' : `id: ${position}\n`;
}

/** The frame of an event, without its id. */
export function withoutId(frame: Buffer): Buffer {
  return frame.subarray(frame.indexOf('event: '));
}

function eventFrame(type: string, json: string, id: string | null): Buffer {
  return Buffer.from(`${id === null ? '' : `id: ${id}\n`}event: ${type}\ndata: ${json}\n\n`);
}
