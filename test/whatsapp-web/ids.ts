/** Formats and parses ids of people, groups and messages. */

export const STORIES = 'status@broadcast';

/** Turns a phone number in any spelling into an id; returns an id unchanged. */
export function toWid(number: string): string {
  if (/^[\w-]+@(c\.us|g\.us|lid|broadcast|newsletter)$/.test(number)) return number;
  const digits = String(number).replace(/\D/g, '');
  if (digits.length < 8 || digits.length > 15) throw new Error(`"${number}" is neither a number nor an id`);
  return `${digits}@c.us`;
}

/** A number as `+digits`; any other id unchanged. */
export function inWords(wid: string): string {
  return wid.endsWith('@c.us') ? `+${wid.split('@')[0]}` : wid;
}

export const isGroup = (id: string) => id.endsWith('@g.us');

export const isPerson = (id: string) => id.endsWith('@c.us') || id.endsWith('@lid');

export const isNewsletter = (id: string) => id.endsWith('@newsletter');

interface MessageIdParts {
  readonly fromMe: boolean;
  readonly chatId: string;
  readonly key: string;
  /** Who wrote an incoming message in a group, or a story. */
  readonly author: string | null;
}

/** In a group the id ends with the sender's id, the owner's included. In the owner's own chat it ends with `out`. */
export function messageId({ fromMe, chatId, key, author }: MessageIdParts, me: string): string {
  const own = isGroup(chatId) ? [me] : chatId === me ? ['out'] : [];
  return [fromMe, chatId, key, ...(fromMe ? own : author ? [author] : [])].join('_');
}

/**
 * The hidden id of a number. It is always the same, does not contain the number, and has too many digits for one.
 */
export function lidOf(number: string): string {
  const digits = toWid(number).split('@')[0] ?? '';
  return `${100_000_000_000_000n + BigInt(digits) * 3n}@lid`;
}
