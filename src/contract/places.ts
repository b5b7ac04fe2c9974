/**
 * How many sessions all living supervisors together can still take, how many they can run, and how many of the first they can start
 * at once.
 */
export interface Places {
  readonly room: number;
  readonly capacity: number;
  readonly starts: number;
}

/** null: no supervisor is alive, or none that tells it. */
export function parsePlaces(text: string | null): Places | null {
  // A supervisor of an earlier version leaves out the starts.
  const match = /^(\d{1,9}) (\d{1,9})(?: (\d{1,9}))?$/.exec(text ?? '');
  if (match === null) return null;
  const [, room, capacity, starts = room] = match;
  return { room: Number(room), capacity: Number(capacity), starts: Number(starts) };
}

/**
 * The places for a start that waits. null: none waits, or no supervisor is known that could take it. The parameters are values in
 * Redis: `start` and `endedStart` of the session, and the places.
 */
export function placesForStart(
  start: string | null,
  endedStart: string | null,
  places: string | null,
): Places | null {
  return start === null || start === endedStart ? null : parsePlaces(places);
}

const fullWords = 'every supervisor is full';
const turnSentence = 'the start waits for its turn: a supervisor starts only a few sessions at a time';

/** Why a start still waits. null: a supervisor takes it at once. */
export function waitingSentence({ room, capacity, starts }: Places): string | null {
  if (room === 0) return `${fullWords}: ${capacity} sessions of ${capacity}`;
  return starts === 0 ? turnSentence : null;
}

/** {@link waitingSentence} to callers who must not learn that there are other sessions. */
export const noRoomSentence = 'there is no room for the session now; it starts by itself as soon as there is';

/** It lets a caller conclude that there are other sessions. */
export function tellsOfOthers(sentence: string | null): boolean {
  return sentence === turnSentence || (sentence?.startsWith(fullWords) ?? false);
}

export function saysFull(sentence: string | null): boolean {
  return sentence === noRoomSentence || (sentence?.startsWith(fullWords) ?? false);
}
