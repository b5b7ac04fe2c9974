import { eventSchemas, type SessionEvent } from '../../contract/events.js';
import type { Position, StreamEntry } from '../../platform/store/event-stream.js';

/** Events as they go over the wire: server-sent events, each encoded once for all who listen. */

export interface FeedEvent {
  /** null: it has no place in the stream, and a listener's own place stays where it was. */
  readonly id: string | null;
  readonly type: string;
  readonly json: string;
  readonly frame: Buffer;
}

/** What a listener gets of an event: its frame, or another in its place; null for nothing. */
export type Presenter = (event: FeedEvent) => Buffer | null;

const knownTypes: ReadonlySet<string> = new Set(Object.keys(eventSchemas));

/** Passes the events of these types, null for all of them; never what is internal. */
export function presentTypes(types: ReadonlySet<string> | null): Presenter {
  return (event) => ((types ?? knownTypes).has(event.type) ? event.frame : null);
}

export function feedEventOf({ id, type, json }: StreamEntry): FeedEvent {
  return { id, type, json, frame: eventFrame(type, json, id) };
}

/** An event that nobody wrote to the stream: it cannot be resumed after. */
export function passingEvent(event: SessionEvent): FeedEvent {
  const json = JSON.stringify(event);
  return { id: null, type: event.type, json, frame: eventFrame(event.type, json, null) };
}

/** `oldest_id` stands at the top too: it is all that a gap has to say. null: nothing is kept. */
export function gapFrame(session: string, oldestId: string | null): Buffer {
  const gap = { oldest_id: oldestId };
  const json = JSON.stringify({ type: 'gap', session, at: new Date().toISOString(), data: gap, ...gap });
  return eventFrame('gap', json, null);
}

/** The first words of a stream. The place is told before any event, so that a client can resume from it. */
export function openingFrame(position: Position | null): Buffer {
  return Buffer.from(`retry: 2000\n${placeLine(position)}\n`);
}

/** Keeps the connection alive; tells the place where it moved on by events that this listener does not get. */
export function pingFrame(position: Position | null): Buffer {
  return Buffer.from(`: ping\n${placeLine(position)}\n`);
}

/** A line `id` without data is no event: it only says where the client is. */
function placeLine(position: Position | null): string {
  return position === null || position === '-' ? '' : `id: ${position}\n`;
}

export function eventFrame(type: string, json: string, id: string | null): Buffer {
  return Buffer.from(`${id === null ? '' : `id: ${id}\n`}event: ${type}\ndata: ${json}\n\n`);
}
