/** Positions in the order of the events, and which events after a position may be lost. */

/** The id of an entry: right after it; `-`: before the first entry; `+`: after the last. */
export type Position = string;

/**
 * How far somebody has read. The order of the index is that of all events but those of `default` which an earlier version writes:
 * these may get an id that the index has passed, or has given to an event of another session. So the stream of `default` has a
 * position of its own. Who resumes after an id begins with it in both.
 */
export interface Positions {
  readonly ofDefault: Position;
  readonly ofOthers: Position;
}

export function bothAt(position: Position): Positions {
  return { ofDefault: position, ofOthers: position };
}

/** The later of the two. */
export function latestOf({ ofDefault, ofOthers }: Positions): Position {
  if (ofDefault === '-') return ofOthers;
  return ofOthers === '-' || isAfter(ofDefault, ofOthers) ? ofDefault : ofOthers;
}

/** The first and the last entry of a stream; null: it is empty. */
export interface StreamBounds {
  readonly oldestId: string | null;
  readonly lastId: string | null;
  /** No entry was ever before the oldest. */
  readonly isWhole: boolean;
}

export interface Loss {
  /** {@link everySession}: the loss is not of one session. */
  readonly session: string;
  /** `trimmed`: events were deleted to keep a stream within its bounds. `reset`: Redis has lost the streams, and ids start over. */
  readonly kind: 'trimmed' | 'reset';
  /** The oldest event that is kept; null: none. */
  readonly oldestId: string | null;
}

/** In the place of a session: all that a client follows. No session can have this name. */
export const everySession = '*';

/** Whether `id` can be the id of an event. Redis allows larger numbers, but its clock does not produce them. */
export function isEventId(id: string): boolean {
  return /^(?:0|[1-9]\d{0,14})-(?:0|[1-9]\d{0,14})$/.test(id);
}

export function isAfter(id: string, position: Position): boolean {
  if (position === '-') return true;
  const [ms = 0, number = 0] = id.split('-').map(Number);
  const [otherMs = 0, otherNumber = 0] = position.split('-').map(Number);
  return ms === otherMs ? number > otherNumber : ms > otherMs;
}

/** The latest of these ids; null: there is none. */
export function laterOf(ids: readonly (string | null)[]): string | null {
  return ids.reduce((a, b) => (a === null || (b !== null && isAfter(b, a)) ? b : a), null);
}

/** The earliest of these ids; null: there is none. */
function earlierOf(ids: readonly (string | null)[]): string | null {
  return ids.reduce((a, b) => (a === null || (b !== null && isAfter(a, b)) ? b : a), null);
}

/** Whether the position lies between the first and the last entry. */
function covers({ oldestId, lastId }: StreamBounds, position: Position): boolean {
  return oldestId !== null && lastId !== null && !isAfter(oldestId, position) && !isAfter(position, lastId);
}

/**
 * What may be lost after a position for a client of these sessions. The position may be the id of an event of another session: then
 * only the index knows it.
 */
export function lossesAt(
  position: Position,
  index: StreamBounds,
  streams: readonly (StreamBounds & { readonly session: string })[],
): Loss[] {
  if (position === '-' || position === '+') return [];
  const [only, ...others] = streams;
  const isOne = only !== undefined && others.length === 0;
  const session = isOne ? only.session : everySession;
  const oldestId = earlierOf(streams.map((stream) => stream.oldestId));
  const lastId = laterOf([index, ...streams].map((stream) => stream.lastId));
  const isEmptied = isOne && oldestId === null;
  if (lastId === null || isAfter(position, lastId) || isEmptied)
    return [{ session, kind: 'reset', oldestId }];
  const trimmed = streams.filter((stream) => stream.oldestId !== null && isAfter(stream.oldestId, position));
  if (isOne || ![index, ...streams].some((stream) => covers(stream, position))) {
    return trimmed.length === 0 ? [] : [{ session, kind: 'trimmed', oldestId }];
  }
  // Redis has kept its data since then, so a session whose stream is whole began later.
  return trimmed
    .filter(({ isWhole }) => !isWhole)
    .map((stream) => ({ session: stream.session, kind: 'trimmed', oldestId: stream.oldestId }));
}

/** What may be lost after a position for a client of all sessions. */
export function lossesInIndex(
  position: Position,
  index: StreamBounds,
  ofDefault: StreamBounds & { readonly session: string },
): Loss[] {
  if (position === '-' || position === '+') return [];
  // Before the first entry of the index there were events of default only, which an earlier version wrote.
  const isFirst = index.oldestId === null || index.isWhole;
  const oldestId = isFirst ? earlierOf([index.oldestId, ofDefault.oldestId]) : index.oldestId;
  const lastId = laterOf([index.lastId, ofDefault.lastId]);
  if (oldestId === null || lastId === null || isAfter(position, lastId)) {
    return [{ session: everySession, kind: 'reset', oldestId }];
  }
  if (isAfter(oldestId, position)) return [{ session: everySession, kind: 'trimmed', oldestId }];
  const { session, isWhole } = ofDefault;
  const isCut = !isWhole && ofDefault.oldestId !== null && isAfter(ofDefault.oldestId, position);
  return isCut ? [{ session, kind: 'trimmed', oldestId: ofDefault.oldestId }] : [];
}
